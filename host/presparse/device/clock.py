"""The time that a device lives in."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """`time`, or a time of its own: the cycles of a simulated board, the seconds of a recording."""

    def monotonic(self) -> float:
        """Seconds; never less than before."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Let as many seconds pass."""
        ...
