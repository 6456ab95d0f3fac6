"""Folders for what programs hand to each other: this user's alone, and gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from presparse.support.errors import CacheError, PresparseError
from presparse.support.ownership import check_parents


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder as long as the block runs. Raises CacheError if there is no place or no room for temporary files."""
    try:
        with tempfile.TemporaryDirectory(prefix="presparse-") as name:
            check_parents(Path(name), "TMPDIR")
            yield Path(name)
    except OSError as error:
        if isinstance(error, PresparseError):
            raise
        raise CacheError(
            f"temporary files cannot be written ({error}); set the environment variable TMPDIR to a folder with room"
        ) from error
