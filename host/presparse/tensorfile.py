"""Files in which numbers must not be lost: written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from presparse.errors import ModelError


def write(path: Path, content: bytes) -> None:
    """Write a file. An existing file stays whole until the new one, safely on the disk, has replaced it.

    Raises ModelError if the folder or the file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)  # mkstemp's files are private
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be written ({error.strerror or error}); choose a folder you may write to, with room"
        ) from error
