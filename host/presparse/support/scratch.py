"""Folders for what programs hand to each other: this user's alone, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from presparse.support.errors import CacheError, PresparseError
from presparse.support.folder_lock import folder_lock
from presparse.support.ownership import check_parents

_PREFIX = "presparse-scratch-"
_NEW_SECONDS = 60.0
"""Younger ones may not be locked yet."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder as long as the block runs. Raises CacheError if there is no place or no room for temporary files."""
    try:
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, folder_lock(Path(name)) as alone:
            check_parents(Path(name), "TMPDIR")
            if alone:
                _remove_leftovers(Path(name).parent)
            yield Path(name)
    except OSError as error:
        if isinstance(error, PresparseError):
            raise
        raise CacheError(
            f"temporary files cannot be written ({error}); set the environment variable TMPDIR to a folder with room"
        ) from error


def _remove_leftovers(parent: Path) -> None:
    """Of this user's processes that were killed."""
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another process holds it, or was faster
            status = left.lstat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _NEW_SECONDS:
                with folder_lock(left) as alone:
                    if alone:
                        shutil.rmtree(left)
