"""Folders are written whole or not at all, and replace nothing but what Presparse wrote itself.

A new folder is made beside its place and put there at once. Linux can exchange two names: then there is a whole folder
under the name at every moment. Elsewhere the old one is moved aside first, and if the process is killed just then,
whoever next writes a folder there moves it back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from presparse.support.errors import OutputError
from presparse.support.folder_lock import folder_lock
from presparse.support.interrupts import deferred_interrupts

Owned = Callable[[Path], Collection[str]]
"""The names of the files that Presparse wrote into a folder; none if it wrote none there. May raise OutputError."""

_PREFIX = ".presparse-folder-"
_MADE, _OLD, _DONE = "made", "old", "done"
"""In a folder of that prefix: what is being made, what is being replaced, and what was and can go."""
_LOCK_SECONDS = 30.0
"""More than another process takes to write a folder."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_CANNOT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def check_folder(
    folder: str | Path, what: str, owned: Owned, files: Collection[str] = (), *, parents: bool = False
) -> None:
    """Raise OutputError, before any work is done, if a folder of these `files` cannot be written.

    An empty folder may be there, or one of nothing but files that are `owned`. `what` is written: "a bundle".
    `parents`: make the folders that it is to be in.
    """
    folder = Path(folder)
    try:
        target = folder.resolve()
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.is_dir():
            raise OutputError(f"{folder}: there is no folder {folder.parent}; make it, or choose another")
        if target.exists():
            _check_replaceable(folder, target, what, owned)
        for name in (target.name, *files):  # only the disk knows how long a name may be
            _exists(target.parent / name)
        with tempfile.TemporaryFile(dir=target.parent):  # permissions do not tell (read-only disks, root)
            pass
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise _unwritable(folder, error) from error


def write_folder(folder: str | Path, files: Mapping[str, bytes | str], what: str, owned: Owned) -> None:
    """Write a folder of files; text is UTF-8. What `check_folder` lets pass is replaced, as it is by now.

    A link is followed; the folder that was there, and its files, keep their modes. Raises OutputError.
    """
    folder = Path(folder)
    try:
        target = folder.resolve()
        with folder_lock(target.parent, _LOCK_SECONDS) as alone:
            if alone:  # then what others have begun there is left over
                _remove_leftovers(target.parent, owned)
            with _beside(target) as workplace:
                made, old = workplace / _MADE / target.name, workplace / _OLD / target.name
                made.mkdir(parents=True)
                old.parent.mkdir()
                for file, content in files.items():
                    _write(made / file, content.encode() if isinstance(content, str) else content)
                with deferred_interrupts():
                    if not target.exists():
                        made.rename(target)
                        return
                    _check_replaceable(folder, target, what, owned)
                    _keep_modes(target, made)
                    _replace(target, made, old)
                    try:
                        _check_replaceable(folder, old, what, owned)
                    except OutputError:  # somebody has put something there in the meantime
                        _put_back(target, made, old)
                        raise
                    old.parent.rename(workplace / _DONE)
    except (OSError, RuntimeError) as error:
        raise _unwritable(folder, error) from error


def _check_replaceable(folder: Path, place: Path, what: str, owned: Owned) -> None:
    """Raise OutputError if anything would be lost with `place`, which the user calls `folder`."""
    if not place.is_dir():
        raise OutputError(f"{folder}: is a file; {what} is a folder: choose another --output")
    if Path.cwd().is_relative_to(place):
        raise OutputError(f"{folder}: is the working folder, and {what} would take its place; choose another --output")
    inside = sorted(place.iterdir())
    strangers = [path for path in inside if not stat.S_ISREG(path.lstat().st_mode)]
    if not strangers:
        names = owned(place)
        strangers = [path for path in inside if path.name not in names]
    if strangers:
        raise OutputError(
            f"{folder}: holds {strangers[0].name}, which is not of {what}; choose another --output, or move it away"
        )


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _keep_modes(target: Path, made: Path) -> None:
    for file in made.iterdir():
        if (before := target / file.name).exists():
            file.chmod(stat.S_IMODE(before.stat().st_mode))
    made.chmod(stat.S_IMODE(target.stat().st_mode))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder on the same disk, which goes afterwards, unless what was replaced is still in it."""
    workplace = Path(tempfile.mkdtemp(dir=target.parent, prefix=_PREFIX))
    try:
        yield workplace
    finally:
        if not any((workplace / _OLD).glob("*")):
            shutil.rmtree(workplace, ignore_errors=True)


def _replace(target: Path, made: Path, old: Path) -> None:
    """What was made becomes `target`, and what was there becomes `old`."""
    made.rename(old)
    if _exchanged(old, target):
        return
    old.rename(made)
    target.rename(old)
    try:
        made.rename(target)
    except OSError:
        old.rename(target)
        raise


def _put_back(target: Path, made: Path, old: Path) -> None:
    """The other way round; what was made is then to go."""
    if _exchanged(old, target):
        old.rename(made)
    else:
        target.rename(made)
        old.rename(target)


def _exchanged(one: Path, other: Path) -> bool:
    """Give each the other's name, with nothing between; False if this system cannot do that."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number))


def _remove_leftovers(parent: Path, owned: Owned) -> None:
    """Of this user's processes that were killed; what one of them was just replacing gets its name back."""
    for left in parent.glob(f"{_PREFIX}*"):
        if left.is_symlink() or not left.is_dir() or left.stat().st_uid != os.geteuid():
            continue
        with suppress(OutputError, OSError):
            for old in (left / _OLD).glob("*"):
                if (left / _MADE / old.name).exists() and not _exists(parent / old.name):
                    old.rename(parent / old.name)
                else:
                    _check_replaceable(old, old, "a leftover", owned)
                    old.parent.rename(left / _DONE)
            shutil.rmtree(left)


def _exists(path: Path) -> bool:
    """Of a link, too, that leads nowhere. Raises OSError for a name that cannot be."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _unwritable(folder: Path, error: OSError | RuntimeError) -> OutputError:
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        name = Path(error.filename or folder).name
        return OutputError(f"{name}: the name, or the path to it, is too long for this disk; choose a shorter one")
    if isinstance(error, BlockingIOError):
        return OutputError(f"{folder}: another process is writing a folder beside it; try again when it has ended")
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return OutputError(f"{folder}: the folder cannot be written there ({reason}); choose another place, with room")
