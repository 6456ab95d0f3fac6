"""Errors a user can cause or meet. Each names the thing, the value and how to mend it.

The command line prints the message without a traceback and exits with status 2.
"""

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


class NetworkError(PresparseError, ValueError):
    """A network description breaks a rule."""


class PatternError(PresparseError, ValueError):
    """A pattern is not valid for its network or lanes."""


class BuildError(PresparseError, ValueError):
    """Lanes, gap or ports that this network cannot be built with."""


class StoreError(PresparseError, ValueError):
    """Samples that a board's store cannot hold, or a run over samples that are not stored."""
