"""Text files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from presparse.errors import PresparseError


class OutputError(PresparseError, ValueError):
    """A file that cannot be written where it is wanted."""


def check_writable(path: Path) -> None:
    """Raise OutputError now rather than after hours of work, if `path` cannot become a file."""
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file")
    if not folder.is_dir():
        raise OutputError(f"{path}: there is no folder {folder}; make it, or choose another")
    try:
        with tempfile.TemporaryFile(dir=folder):  # permissions alone do not tell (read-only disks, root)
            pass
    except OSError as error:
        raise OutputError(
            f"{path}: the folder {folder} cannot be written to ({error.strerror or error}); choose another"
        ) from error


def write(path: Path, text: str) -> None:
    """Write a file; an existing one stays whole until the new one replaces it. Raises OutputError."""
    check_writable(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error
    finally:
        partial.unlink(missing_ok=True)
