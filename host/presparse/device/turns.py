"""One call at a time on a device, whichever threads they come from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from presparse.device.protocol import CLOSED, Device
from presparse.errors import DeviceInUse, LinkClosed

_LOOK = 0.05
"""Seconds until a thread that waits for its turn looks whether that can still come."""
CLOSING = 6.0
"""Seconds that `close` waits for the call under way: longer than any link takes to notice."""


class Turns:
    """The one lock of a device.

    Calls of several threads queue up: a model's `predict` can be called from any thread in scikit-learn, and so here.
    Only what calls its user back (a training, storing samples) is not waited for, because it may take hours, and
    because its callback may itself wait for the thread that asks: others get DeviceInUse at once. The callback may
    use the device: it is in the thread whose turn it is.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._lock = threading.RLock()
        self._busy = ""
        """What calls its user back, if that has the turn."""
        self._closed = False

    @contextmanager
    def turn(self, busy: str = "") -> Iterator[None]:
        """The block has the device to itself; `busy` says what it does if it may call back. Raises LinkClosed once
        the device is closed, DeviceInUse if another thread's turn calls back."""
        while not self._lock.acquire(timeout=_LOOK if not self._busy else 0):
            self._check_open()
            if self._busy:
                raise DeviceInUse(
                    f"the device is {self._busy} in another thread; wait for the end of that, or open another device"
                )
        outer = self._busy
        try:
            self._check_open()
            self._busy = busy or outer
            yield
        finally:
            self._busy = outer
            if self._closed:
                self._device.close()
            self._lock.release()

    def close(self) -> None:
        """Close the device. Calls of other threads, those that wait too, end with LinkClosed.

        One that does not end soon, because its callback waits, closes the device itself when it does.
        """
        self._closed = True
        self._device.cancel()
        if self._lock.acquire(timeout=CLOSING):
            try:
                self._device.close()
            finally:
                self._lock.release()

    def _check_open(self) -> None:
        if self._closed:
            raise LinkClosed(CLOSED)
