"""Whose files are loaded: what another user wrote, or could have written, is refused."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from presparse.support.errors import CacheError

_OWN_FOLDER = "set the environment variable {} to a folder of your own"
_CACHE = "PRESPARSE_CACHE"


def check_own(path: Path) -> None:
    """Raise CacheError unless `path`, and what it links to, belongs to this user or to root, and no other may write it.

    Raises OSError if nothing is there.
    """
    if not hasattr(os, "geteuid"):  # Windows, whose cache folder is in the user's profile
        return
    for status in (path.lstat(), path.stat()):
        if status.st_uid not in (0, os.geteuid()):
            raise CacheError(
                f"{path}: belongs to another user (id {status.st_uid}), whose code would run as you; "
                f"{_OWN_FOLDER.format(_CACHE)}, or delete what is there"
            )
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(status.st_mode):
            raise CacheError(
                f"{path}: other users may write there (mode {stat.S_IMODE(status.st_mode):o}), and what they write "
                f"would run as you; {_OWN_FOLDER.format(_CACHE)}, or, if you trust what is there: "
                f"chmod -R go-w {shlex.quote(str(path))}"
            )


def check_parents(path: Path, variable: str = _CACHE) -> None:
    """Raise CacheError if every user may put another in the place of `path`, or of a folder that it is in.

    A sticky folder, as /tmp is, allows that to none but the owner. `variable`: of the environment, which names the
    folder.
    """
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise CacheError(
                f"{path}: every user may replace it, since all may write to {parent} (mode {stat.S_IMODE(mode):o}); "
                f"{_OWN_FOLDER.format(variable)}, or: chmod o-w {shlex.quote(str(parent))}"
            )
