"""Files are written whole or not at all: the one writer of every file that Presparse keeps."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from presparse.support.errors import OutputError


def check_writable(path: Path) -> None:
    """Raise OutputError now rather than after hours of work, if `path` cannot become a file."""
    folder = path.parent
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()  # links in a circle, which the questions below would not tell
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; give the name of a file")
        if not folder.is_dir():
            raise OutputError(f"{path}: there is no folder {folder}; make it, or choose another")
        if _is_special(path):
            return
        if path.exists() and not os.access(path, os.W_OK):
            raise OutputError(f"{path}: is write-protected; choose another file, or allow it with chmod u+w")
        with tempfile.TemporaryFile(dir=path.resolve().parent):  # permissions do not tell (read-only disks, root)
            pass
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise OutputError(f"{path.name}: the name is too long for a file; choose a shorter one") from error
        raise OutputError(
            f"{path}: the folder {folder} cannot be written to ({error.strerror or error}); choose another"
        ) from error


def write(path: str | Path, content: bytes | str) -> None:
    """Write a file; text is UTF-8. An existing one stays whole until the new one, safely on the disk, has replaced it.

    Links are followed, a file that was there keeps its mode, and pipes and devices are written to as they are.
    Raises OutputError.
    """
    path = Path(path)
    check_writable(path)
    try:
        data = content.encode() if isinstance(content, str) else content
        if _is_special(path):
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except (OSError, UnicodeEncodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise OutputError(f"{path}: cannot be written ({reason}); choose another place, with room") from error


def _replace(target: Path, data: bytes) -> None:
    partial = target.with_name(f".presparse-{secrets.token_hex(8)}")  # short: the target's name may be the longest
    before = target.stat() if target.exists() else None
    # The kernel gives a new file the user's usual mode, which `tempfile` does not; secrets stay so from the first byte.
    mode = 0o666 if before is None else 0o600
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            _keep_owner(partial, before)
            partial.chmod(stat.S_IMODE(before.st_mode))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _keep_owner(path: Path, before: os.stat_result) -> None:
    """A file that root replaces stays its user's; nobody else may give files away, nor needs to."""
    if hasattr(os, "chown") and os.geteuid() == 0:
        os.chown(path, before.st_uid, before.st_gid)


def _is_special(path: Path) -> bool:
    """A pipe, a device: something that cannot be replaced, only written to."""
    return path.exists() and not path.is_file()
