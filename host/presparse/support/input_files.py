"""Files are read within bounds: what is no file, or larger than it can rightly be, is refused before it is parsed.

The counterpart of `atomic_files`, for everything that Presparse reads.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST = 1 << 32
"""Bytes of a file of numbers: models, checkpoints, samples."""
_BLOCK = 1 << 20


def checked(path: str | Path, most: int = LARGEST) -> Path:
    """The path of a file of at most `most` bytes. Pipes and devices are none: they may never end.

    Raises OSError, whose `strerror` says why it cannot be read.
    """
    if not isinstance(path, str | os.PathLike):
        raise OSError(errno.EINVAL, f"{type(path).__name__} is no path")
    path = Path(path)
    try:
        status = path.stat()
    except ValueError as error:
        raise OSError(errno.EINVAL, f"no file has such a name: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, "is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is a pipe or a device; write what comes out of it into a file first")
    if status.st_size > most:
        raise OSError(errno.EFBIG, f"holds {status.st_size:,} bytes, and such a file at most {most:,}")
    return path


def read(path: str | Path, most: int = LARGEST) -> bytes:
    """What a file holds. Raises OSError as `checked`, and also if it grows beyond `most` meanwhile."""
    blocks, size = [], 0
    with checked(path, most).open("rb") as file:
        while block := file.read(_BLOCK):  # of all at once, Python would reserve `most`
            blocks.append(block)
            size += len(block)
            if size > most:
                raise OSError(errno.EFBIG, f"holds more than {most:,} bytes")
    return b"".join(blocks)
