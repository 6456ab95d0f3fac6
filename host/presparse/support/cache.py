"""A content-addressed build cache: a folder of things that take long to make (compiled simulations, bitstreams), which
any number of processes may use at once.

An entry is a folder of files, named by its key. It is made under another name and renamed when complete, so an
interrupted process leaves no half entry; a digest of every file is kept with it, so damage is noticed and the
entry is made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from presparse.support.errors import CacheError

_LOG = logging.getLogger(__name__)
_DIGESTS = "digests.json"
_KEPT_ENTRIES = 256
"""Entries of one kind beyond this many are removed, least recently used first (about 1 to 10 MB each)."""


def cache_folder() -> Path:
    """The folder of all kinds: `PRESPARSE_CACHE`, else the user's cache folder."""
    base = os.environ.get("PRESPARSE_CACHE") or platformdirs.user_cache_dir("presparse", appauthor=False)
    return Path(base).expanduser()


class Cache:
    """Entries of one kind, such as "simulation", by key; in a folder of `root` (default: `cache_folder()`)."""

    def __init__(self, kind: str, root: Path | None = None) -> None:
        self.root = (cache_folder() if root is None else root) / kind

    def fetch(self, key: str, make: Callable[[Path], None], waiting: Callable[[], None] = lambda: None) -> Path:
        """The folder of an entry; `make(folder)` fills it if it is missing or damaged.

        `waiting` is called before a wait for another process that makes the same entry. Raises CacheError if
        the folder cannot be used, and whatever `make` raises.
        """
        entry = self.root / key
        with suppress(OSError):
            os.utime(entry)
        if _intact(entry):  # without the lock: a complete cache may be read-only
            return entry
        with self._writable():
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / f"{key}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                waiting()
                lock.acquire()
        try:
            if not _intact(entry):
                _LOG.info("making %s", entry)
                self._make(entry, make)
        finally:
            lock.release()
        return entry

    def discard(self, key: str) -> None:
        """Forget an entry that proved useless."""
        shutil.rmtree(self.root / key, ignore_errors=True)

    def _make(self, entry: Path, make: Callable[[Path], None]) -> None:
        for leftover in self.root.glob(f"{entry.name}.*.partial"):  # of processes that were killed
            shutil.rmtree(leftover, ignore_errors=True)
        with self._writable():
            partial = Path(tempfile.mkdtemp(dir=self.root, prefix=f"{entry.name}.", suffix=".partial"))
        try:
            make(partial)
            with self._writable():
                digests = {path.name: _digest(path) for path in sorted(partial.iterdir())}
                (partial / _DIGESTS).write_text(json.dumps(digests))
                shutil.rmtree(entry, ignore_errors=True)
                partial.rename(entry)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._prune()

    def _prune(self) -> None:
        entries = [path for path in self.root.iterdir() if path.is_dir() and path.suffix != ".partial"]
        entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in entries[_KEPT_ENTRIES:]:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"{self.root}: nothing can be kept in this folder ({error.strerror or error}); "
                "set the environment variable PRESPARSE_CACHE to a folder that you can write to"
            ) from error


def contents(entry: Path) -> list[Path]:
    """The files that were made, of an entry that `fetch` returned."""
    return sorted(path for path in entry.iterdir() if path.name != _DIGESTS)


def _intact(entry: Path) -> bool:
    try:
        digests = json.loads((entry / _DIGESTS).read_bytes())
        return bool(digests) and all(_digest(entry / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, AttributeError):
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
