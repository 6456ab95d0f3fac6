"""A board behind a TCP port (`tcp:HOST:PORT`): one that `presparse serve` serves, or any bridge to a serial port."""

from __future__ import annotations

import os
import socket
import time

from presparse.device.links import greeting
from presparse.errors import ArgumentError, DeviceInUse, LinkClosed, LinkError, LinkTimeout, UnknownDevice

CONNECT_TIMEOUT = 5.0
GREETING_TIMEOUT = 2.0
"""Seconds in which a server of ours greets; a bridge to a serial port says nothing unless it is asked."""
WRITE_TIMEOUT = 5.0
"""Seconds in which the other side must take what is written."""


def parsed_address(address: str) -> tuple[str, int]:
    """(host, port) of HOST:PORT; a host with colons may stand in brackets. Raises UnknownDevice."""
    host, _, port = address.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else 0
    if not host or not host.isprintable() or "@" in host or not 0 < number < 65536:
        hint = f"; a token goes into {greeting.TOKEN}" if "@" in address else ""
        shown = f"tcp:{address.rpartition('@')[2]}"  # what is before it may be a token
        raise UnknownDevice(f"{shown!r} is no address; write tcp:HOST:PORT, with a port from 1 to 65535{hint}")
    return host.removeprefix("[").removesuffix("]"), number


class TcpLink:
    """A TCP connection. Without `token`, that of the environment variable PRESPARSE_TOKEN is used, if there is one.

    Raises LinkClosed if nothing listens there or the token is wrong, DeviceInUse if another host has the board.
    """

    def __init__(self, host: str, port: int, *, token: str | None = None) -> None:
        if token is not None and not isinstance(token, str):
            raise ArgumentError(f"token must be text or None, and is of type {type(token).__name__}")
        self.name = f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"
        self._early = b""
        """Bytes of the board that came while a greeting was expected."""
        self._unheard = False
        """No byte has come yet, and no greeting either."""
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT)
        except (OSError, UnicodeError) as error:  # a name that no host can have is a UnicodeError
            raise LinkClosed(
                f"{self.name}: cannot connect ({error}); check the address, and that a board is served there"
            ) from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet(os.environ.get(greeting.TOKEN, "") if token is None else token)
        except LinkError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise self._gone(str(error)) from error

    def write(self, data: bytes) -> None:
        try:
            self._socket.settimeout(WRITE_TIMEOUT)
            self._socket.sendall(data)
        except TimeoutError as error:
            raise LinkTimeout(f"{self.name}: took nothing for {WRITE_TIMEOUT:g} s; check the other side") from error
        except OSError as error:
            raise self._gone(str(error)) from error

    def read(self, limit: int, timeout: float) -> bytes:
        if self._early:
            data, self._early = self._early[:limit], self._early[limit:]
            return data
        try:
            # A timeout of 0 would mean non-blocking, which raises another error.
            self._socket.settimeout(max(timeout, 1e-6))
            data = self._socket.recv(limit)
        except TimeoutError:
            return b""
        except OSError as error:
            raise self._gone(str(error)) from error
        if not data:
            raise self._gone("the other side closed it")
        if self._unheard and data.startswith(greeting.PREFIX):
            raise self._gone(f"it greeted later than after {GREETING_TIMEOUT:g} s")
        self._unheard = False
        return data

    def close(self) -> None:
        self._socket.close()

    def _greet(self, token: str) -> None:
        """Become the one host of a server; a bridge that greets nobody is used as it is."""
        hello, whole = self._line(GREETING_TIMEOUT, greeting.PREFIX)
        if not hello.startswith(greeting.PREFIX):
            self._early, self._unheard = hello, not hello
            return
        if whole and not greeting.is_spoken(hello):
            raise LinkClosed(f"{self.name}: is served by another Presparse; install the same one on both sides")
        if greeting.needs_token(hello) and not token:
            raise LinkClosed(
                f"{self.name}: is served to those alone who have its token; put what `presparse serve` showed into the "
                f"environment variable {greeting.TOKEN}"
            )
        self._socket.sendall(greeting.proof(hello, token) + b"\n")
        answer, whole = self._line(WRITE_TIMEOUT)
        if not whole:
            raise LinkTimeout(f"{self.name}: the server does not answer for {WRITE_TIMEOUT:g} s; look what it does")
        if answer.startswith(greeting.IN_USE):
            raise DeviceInUse(f"{self.name}: is in use {answer.removeprefix(greeting.IN_USE).decode(errors='replace')}")
        if answer != greeting.READY:
            raise LinkClosed(
                f"{self.name}: the token is not that of the server; put the one that `presparse serve` showed into "
                f"{greeting.TOKEN}"
            )

    def _line(self, seconds: float, begins: bytes = b"") -> tuple[bytes, bool]:
        """The next line, without its end, and whether it is whole: not if the time was over before, if it begins
        otherwise, or is too long."""
        line, end = b"", time.monotonic() + seconds
        while line.startswith(begins[: len(line)]) and len(line) < greeting.LONGEST:
            self._socket.settimeout(max(end - time.monotonic(), 1e-6))
            try:
                byte = self._socket.recv(1)
            except TimeoutError:
                break
            if not byte:
                raise self._gone("the other side closed it")
            if byte == b"\n":
                return line, True
            line += byte
        return line, False

    def _gone(self, reason: str) -> LinkClosed:
        return LinkClosed(f"{self.name}: the connection is gone ({reason}); check the other side and open it again")
