"""A content-addressed build cache: a folder of things that take long to make (compiled simulations, bitstreams), which
any number of processes may use at once.

An entry is a folder of files, named by its key. It is made under another name and renamed when complete, so an
interrupted process leaves no half entry; a digest of every file is kept with it, so damage is noticed and the
entry is made again. What is in the cache is executed, so all of it must be this user's own or root's.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from presparse.support.digests import file_digest
from presparse.support.errors import CacheError, PresparseError
from presparse.support.ownership import check_own, check_parents

_LOG = logging.getLogger(__name__)
_DIGESTS = "digests.json"
_PARTIAL = ".partial"
_KEPT_ENTRIES = 256
"""Entries of one kind beyond this many are removed, least recently used first (about 1 to 10 MB each)."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cache_folder() -> Path:
    """The folder of all kinds, absolute: `PRESPARSE_CACHE`, else the user's cache folder. Raises CacheError."""
    base = os.environ.get("PRESPARSE_CACHE") or platformdirs.user_cache_dir("presparse", appauthor=False)
    try:
        return Path(base).expanduser().absolute()
    except (RuntimeError, OSError) as error:  # no such user; no working folder
        raise CacheError(
            f"{base}: no folder for the cache ({error}); set the environment variable PRESPARSE_CACHE to a folder that "
            "you can write to"
        ) from error


class Cache:
    """Entries of one kind, such as "simulation", by key; in a folder of `root` (default: `cache_folder()`)."""

    def __init__(self, kind: str, root: Path | None = None) -> None:
        self.root = (cache_folder() if root is None else root) / kind

    def fetch(self, key: str, make: Callable[[Path], None], waiting: Callable[[], None] = lambda: None) -> Path:
        """The folder of an entry; `make(folder)` fills it if it is missing or damaged.

        `waiting` is called before a wait for another process that makes the same entry. Raises CacheError if
        the folder cannot be used, is full, or may be written by other users, and whatever `make` raises.
        """
        entry = self.root / key
        with self._writable():
            self._check_own()
        with suppress(OSError):
            os.utime(entry)
        if _intact(entry):  # without the lock: a complete cache may be read-only
            return entry
        with self._writable():
            self._make_folders()
            lock = self._lock(key)
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

    def usable(self) -> Path:
        """The folder, made if it is missing. Raises CacheError as `fetch`."""
        with self._writable():
            self._check_own()
            self._make_folders()
            with tempfile.TemporaryFile(dir=self.root):  # permissions do not tell (read-only disks, root)
                pass
        return self.root

    def discard(self, key: str) -> None:
        """Forget an entry that proved useless."""
        shutil.rmtree(self.root / key, ignore_errors=True)

    def _make(self, entry: Path, make: Callable[[Path], None]) -> None:
        with self._writable():
            self._remove_leftovers(entry.name)
            partial = Path(tempfile.mkdtemp(dir=self.root, prefix=f"{entry.name}.", suffix=_PARTIAL))
        try:
            with self._room():
                make(partial)
            with self._writable():
                digests: dict[str, str] = {}
                for path in sorted(partial.iterdir()):
                    path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o755)  # whatever the umask: nobody else's to write
                    digests[path.name] = file_digest(path)
                (partial / _DIGESTS).write_text(json.dumps(digests))
                (partial / _DIGESTS).chmod(0o600)
                shutil.rmtree(entry, ignore_errors=True)
                partial.rename(entry)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._prune()

    def _check_own(self) -> None:
        """Raise CacheError if another user may have put something into the folders that are there."""
        for folder in (self.root.parent, self.root):
            if os.path.lexists(folder):
                check_own(folder)
                check_parents(folder)

    def _make_folders(self) -> None:
        for folder in (self.root.parent, self.root):
            if not folder.exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_own()

    def _lock(self, key: str) -> FileLock:
        """Held by whoever makes this entry."""
        return FileLock(self.root / f"{key}.lock", mode=0o600)

    def _remove_leftovers(self, held: str) -> None:
        """Of processes that were killed: nobody holds their locks. `held`: the key whose lock this process holds."""
        for leftover in self.root.glob(f"*{_PARTIAL}"):
            key = leftover.name.removesuffix(_PARTIAL).rpartition(".")[0]
            if key == held:
                shutil.rmtree(leftover, ignore_errors=True)
                continue
            with suppress(Timeout), self._lock(key).acquire(timeout=0):
                shutil.rmtree(leftover, ignore_errors=True)

    def _prune(self) -> None:
        entries = [path for path in self.root.iterdir() if path.is_dir() and path.suffix != _PARTIAL]
        entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in entries[_KEPT_ENTRIES:]:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._useless(error.strerror or str(error)) from error

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Whoever runs out of room says so: Python with an error, a compiler in its own words."""
        try:
            yield
        except PresparseError as error:
            for reason in map(os.strerror, _NO_ROOM):
                if reason in str(error):
                    raise self._useless(reason) from error
            raise
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise self._useless(error.strerror or str(error)) from error
            raise

    def _useless(self, reason: str) -> CacheError:
        return CacheError(
            f"{self.root}: nothing can be kept in this folder ({reason}); "
            "set the environment variable PRESPARSE_CACHE to a folder that you can write to"
        )


def contents(entry: Path) -> list[Path]:
    """The files that were made, of an entry that `fetch` returned."""
    return sorted(path for path in entry.iterdir() if path.name != _DIGESTS)


def _intact(entry: Path) -> bool:
    """Whether everything that was made is there as it was, and nothing else. Raises CacheError (another user's)."""
    try:
        check_own(entry)
        files = list(entry.iterdir())
        for file in files:
            check_own(file)
        digests = json.loads((entry / _DIGESTS).read_bytes())
        return (
            bool(digests)
            and {file.name for file in files} == {*digests, _DIGESTS}
            and all(file_digest(entry / name) == digest for name, digest in digests.items())
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return False
