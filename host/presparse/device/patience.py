"""How long a host waits for a board: one policy for opening, requests, runs and reconnects.

Only growth is progress: one more answer in order, more samples accepted or fed, more pieces stored than ever before.
Whatever else a board sends, an older answer, a count that goes back or up and down, lets no wait go on.
"""

from __future__ import annotations

from dataclasses import dataclass

from presparse.validation import checked_number

TIMEOUT = 2.0
RETRIES = 3
RECONNECTS = 5
LONGEST_TEST = 1.0
"""Seconds of pauses in which a board's store must have been tested."""
LEAST_TIMEOUT, MOST_TIMEOUT = 0.001, 3600.0
MOST_RETRIES = 1000
_OPENING = 5
"""A board is opened with some five requests that may need all their repeats."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Raises ArgumentError for what is no number of seconds or repeats."""

    timeout: float = TIMEOUT
    """Seconds that an answer has, 0.001 to 3,600; what is polled has to grow within as many seconds of pauses."""
    retries: int = RETRIES
    """Repeats of a request, each after `timeout` without an answer in order, 0 to 1,000."""
    reconnects: int = RECONNECTS
    """Links opened again, one after the other, without a sample or a piece of an upload accepted in between."""

    def __post_init__(self) -> None:
        for name, of, least, most in (
            ("timeout", "timeout, in seconds,", LEAST_TIMEOUT, MOST_TIMEOUT),
            ("retries", "retries", 0, MOST_RETRIES),
            ("reconnects", "reconnects", 0, MOST_RETRIES),
        ):
            object.__setattr__(self, name, checked_number(of, getattr(self, name), least, most))

    @property
    def opening(self) -> float:
        """Seconds in which it must be known where the board stands, whatever it sends: in opening it, and after an
        error or a cut."""
        return _OPENING * self.timeout * (self.retries + 1)
