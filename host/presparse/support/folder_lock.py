"""A folder, or a file, that one process has to itself: the system knows when that process ends, however it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def folder_lock(folder: Path, seconds: float = 0.0) -> Iterator[bool]:
    """Hold a folder, or a file, against all others who ask for it in this way; False where that cannot be had (some
    network disks).

    Raises BlockingIOError if another process holds it for longer than `seconds`, OSError if there is no such thing.
    """
    if fcntl is None:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _locked(handle, time.monotonic() + seconds)
    finally:
        os.close(handle)


def _locked(handle: int, until: float) -> bool:
    assert fcntl is not None
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        except OSError:
            return False
        else:
            return True
