"""What can go wrong between a network and a board that runs it. Each names the thing, the value and how to mend it."""

from __future__ import annotations

from presparse.contract.errors import PresparseError
from presparse.messages.bundle import Use


class BoardError(PresparseError, ValueError):
    """A board that is not known, or something that a board cannot do."""


class ClockError(BoardError):
    """A clock that a board cannot make, or that something on it is too slow for."""


class NoSdram(BoardError):
    """SDRAM that a board is asked to store samples in, and has not."""


class MakeError(PresparseError):
    """Base of the errors below: no bitstream was made."""


class ToolMissing(MakeError):
    """A program is not installed; the message holds the command that installs it."""


class ToolFailed(MakeError):
    """A program refused a design for no reason that is known here; the message holds what it said."""


class DoesNotFit(MakeError):
    """The board has too little of something."""

    def __init__(self, message: str, use: Use) -> None:
        super().__init__(message)
        self.use = use


class TooSlow(MakeError):
    """The routed design does not reach the clock that was asked for."""

    def __init__(self, message: str, fmax_mhz: float) -> None:
        super().__init__(message)
        self.fmax_mhz = fmax_mhz
