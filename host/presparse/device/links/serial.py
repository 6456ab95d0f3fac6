"""A board on a serial port (`serial:PORT`)."""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress

import serial
from serial.tools import list_ports

from presparse.device.protocol import CLOSED
from presparse.errors import ArgumentError, DeviceInUse, LinkClosed, LinkTimeout
from presparse.validation import checked_number

DEFAULT_BAUD = 3_000_000
"""What an FT231X does at most; boards are built for it."""
MOST_BAUD = 100_000_000

_PIECE = 1024
WRITE_TIMEOUT = 5.0
"""Seconds in which the port must take a piece of so many bytes (at 3 Mbaud: 3.4 ms)."""

_BLOCK = 0.02
"""Seconds that one read of the port may block: a fixed number, because pyserial sets the port up anew to change it."""
if sys.platform == "win32":
    _FAILURES: tuple[type[Exception], ...] = (serial.SerialException, OSError)
else:
    import termios

    _FAILURES = (serial.SerialException, OSError, termios.error)  # the last, no OSError, where a baud rate is refused


class SerialLink:
    """A serial port: 8 data bits, no parity, 1 stop bit, no flow control.

    Raises LinkClosed if the port cannot be opened, naming the ports that exist, or what to do about permissions;
    DeviceInUse if another program has it; ArgumentError for what is no port's name or no baud rate.
    """

    def __init__(self, port: str, *, baud: int = DEFAULT_BAUD) -> None:
        if not isinstance(port, str) or not port.isprintable():
            raise ArgumentError(f"the name of a serial port must be text such as /dev/ttyUSB0, and is {port!r}")
        self.port, self.baud = port, checked_number("baud", baud, 1, MOST_BAUD)
        try:
            self._serial = serial.Serial(
                port, self.baud, timeout=_BLOCK, write_timeout=WRITE_TIMEOUT, exclusive=_exclusive()
            )
        except (*_FAILURES, ValueError) as error:
            raise _explained(port, self.baud, error) from error

    def write(self, data: bytes) -> None:
        self._check_open()
        try:
            for first in range(0, len(data), _PIECE):
                self._serial.write(data[first : first + _PIECE])
        except serial.SerialTimeoutException as error:
            raise LinkTimeout(
                f"{self.port}: took nothing for {WRITE_TIMEOUT:g} s; check the cable, and that the board is programmed"
            ) from error
        except _FAILURES as error:
            raise self._gone(error) from error

    def read(self, limit: int, timeout: float) -> bytes:
        self._check_open()
        end = time.monotonic() + timeout
        try:
            while True:
                waiting = self._serial.in_waiting
                if waiting:
                    return self._serial.read(min(waiting, limit))
                if time.monotonic() >= end:
                    return b""
                first = self._serial.read(1)
                if first:
                    return first + self._serial.read(min(self._serial.in_waiting, limit - 1))
        except _FAILURES as error:
            raise self._gone(error) from error

    def close(self) -> None:
        with suppress(*_FAILURES):  # the port may be gone
            self._serial.close()

    def _check_open(self) -> None:
        if not self._serial.is_open:
            raise LinkClosed(f"{self.port}: {CLOSED}")

    def _gone(self, error: Exception) -> LinkClosed:
        return LinkClosed(f"{self.port}: the port is gone ({error}); plug the board in and open it again")


def _exclusive() -> bool | None:
    """Two programs on one port would steal each other's answers; Windows always excludes."""
    return True if os.name == "posix" else None


def _explained(port: str, baud: int, error: Exception) -> LinkClosed:
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        return LinkClosed(
            f"{port}: no permission to open it; on Linux run `sudo usermod -aG dialout $USER` and log in again, "
            f"and check that no other program holds the port"
        )
    if number in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY):
        return DeviceInUse(f"{port}: another program has it open; close that one")
    if not isinstance(error, OSError | UnicodeError):
        return LinkClosed(
            f"{port}: cannot be set to {baud} baud ({error}); give baud= a rate that the port and the board have"
        )
    found = ", ".join(p.device for p in list_ports.comports()) or "none"
    return LinkClosed(
        f"{port}: cannot be opened ({os.strerror(number) if number else error}); serial ports of this computer: {found}"
    )
