"""Exit statuses, the same for every command."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a command ended; docs/command-line.md tells users."""

    DONE = 0
    NO = 1
    """Done, and the answer is no: it does not fit, something differs, something is missing."""
    REFUSED = 2
    """A mistake in the command or in what it reads, or something that cannot be used; the message says what to do."""
    INTERRUPTED = 130
    """Ctrl-C."""
    UNREAD = 141
    """Who read stdout has gone before its end, as `head` does: the status of programs that SIGPIPE ends."""
