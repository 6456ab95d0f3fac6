"""The base of all errors, and those of files: for every part of Presparse, however little else it may know."""

from __future__ import annotations

import re

_LONGEST = 3000
"""Characters of a message: what it quotes may come from a broken file."""


class PresparseError(Exception):
    """Base of every error that Presparse raises on purpose."""

    def __str__(self) -> str:
        """The message; control characters are escaped (a terminal would obey them), and the middle of a very long one
        is left out."""
        text = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in super().__str__())
        half = _LONGEST // 2
        return text if len(text) <= _LONGEST else f"{text[:half]} ... {text[-half:]}"

    @property
    def mend(self) -> str:
        """What to do, which a message says last: behind a semicolon, or behind a colon and a command. One that is a
        single sentence ("lanes must divide 100, and are 24") says it all in one."""
        return re.split(r"; |: (?=pip install |sudo )", str(self))[-1]


class OutputError(PresparseError, ValueError):
    """A file that cannot be written where it is wanted."""


class CacheError(PresparseError):
    """The folder for things that take long to make cannot be used."""
