"""The seam between the host and whatever carries its bytes."""

from __future__ import annotations

from typing import Protocol


class Link(Protocol):
    """An ordered byte stream. Bytes may be lost or altered on the way: `presparse.device.transport` notices, and
    repeats."""

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkClosed, or LinkTimeout if the other side takes nothing."""
        ...

    def read(self, limit: int, timeout: float) -> bytes:
        """1 to `limit` bytes as soon as there are any; b"" if none came within `timeout` seconds.

        Raises LinkClosed.
        """
        ...

    def close(self) -> None:
        """Closing twice is allowed."""
        ...
