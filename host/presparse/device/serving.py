"""A board, or the simulation, for other computers: carries bytes between one link and one host at a time."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from presparse.device.links import greeting
from presparse.device.links.link import Link
from presparse.device.links.tcp import WRITE_TIMEOUT

IDLE = 60.0
"""Seconds without a byte after which a host is let go, if another one asks."""
GREETING_TIMEOUT = 5.0
"""Seconds in which a caller must have greeted."""
_CALLERS = 16
"""That may be greeting at once; the one that called first makes room for another."""
_POLL = 0.002
"""Seconds that are waited for the board before the host is looked at, ..."""
_ALONE = 0.1
"""... and for anybody to call while there is no host."""
_TIRED = 10.0
"""Seconds of silence after which a host is looked at as rarely: a simulated board keeps a processor busy."""
_CHUNK = 65536


@dataclass
class _Caller:
    """Somebody who has not shown yet that they may come in."""

    connection: socket.socket
    name: str
    hello: bytes
    deadline: float
    said: bytes = b""


@dataclass
class _Guest:
    """The host that has the board."""

    connection: socket.socket
    name: str
    came: float = field(default_factory=time.monotonic)
    since: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
    heard: float = field(default_factory=time.monotonic)
    """When its last byte came."""
    sent: int = 0
    received: int = 0
    """Bytes to the board, and from it."""

    @property
    def idle(self) -> float:
        return time.monotonic() - self.heard


class Server:
    """Whoever calls at `listener` is greeted (`presparse.device.links.greeting`): has to prove that it has the token,
    if there is one, and becomes the host of the board, if there is none. While there is one, callers are told who it
    is and since when; one that was silent for `idle` seconds makes room for them.

    A host may go and come back: the board keeps what it has, and answers that nobody waits for are dropped.
    `told` gets a line about each who comes, is refused, or leaves.
    """

    def __init__(
        self,
        link: Link,
        listener: socket.socket,
        *,
        token: str = "",
        idle: float = IDLE,
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.hosts = 0
        """Hosts that have come so far."""
        self._link, self._listener, self._token, self._idle, self._told = link, listener, token, idle, told
        self._callers: list[_Caller] = []
        self._guest: _Guest | None = None

    def run(self, stop: Callable[[], bool]) -> None:
        """Until `stop` says so. Closes all connections and `listener`, and leaves the link open. Raises LinkError if
        the board is gone."""
        self._listener.setblocking(False)
        try:
            while not stop():
                self._receive_callers()
                if self._guest is None:
                    self._link.read(_CHUNK, 0)  # answers that nobody waits for any more
                    self._ready(_ALONE)
                else:
                    self._carry(self._guest)
        finally:
            if self._guest is not None:
                self._leave(self._guest, "the server ends")
            for caller in self._callers:
                caller.connection.close()
            self._listener.close()

    def _receive_callers(self) -> None:
        """Take the next step with everybody at the door."""
        ready = self._ready(0)
        for caller in list(self._callers):
            if caller.connection in ready:
                self._hear(caller)
            elif time.monotonic() > caller.deadline:
                self._dismiss(caller, f"said nothing for {GREETING_TIMEOUT:g} s")
        if self._listener in ready:
            self._accept()

    def _ready(self, seconds: float) -> list[socket.socket]:
        """Who has something to say, as soon as somebody has, or nobody after so many seconds."""
        everybody = [self._listener, *(caller.connection for caller in self._callers)]
        if self._guest is not None:
            everybody.append(self._guest.connection)
        return select.select(everybody, [], [], seconds)[0]

    def _accept(self) -> None:
        try:
            connection, address = self._listener.accept()
            connection.settimeout(WRITE_TIMEOUT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a host without power is noticed one day
        except OSError:  # it is gone already, or there is no descriptor left for it
            return
        if len(self._callers) == _CALLERS:
            self._dismiss(self._callers[0], "too many call at once")
        name = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
        hello = greeting.hello(self._token)
        caller = _Caller(connection, name, hello, time.monotonic() + GREETING_TIMEOUT)
        self._callers.append(caller)
        self._answer(caller, hello)

    def _hear(self, caller: _Caller) -> None:
        try:
            data = caller.connection.recv(_CHUNK)
        except OSError:
            data = b""
        if not data:
            self._dismiss(caller, "left without a greeting")
            return
        caller.said += data
        answer, end, _ = caller.said.partition(b"\n")
        if not end and len(caller.said) < greeting.LONGEST:
            return
        if not end or not greeting.proves(answer, caller.hello, self._token):
            self._answer(caller, greeting.REFUSED)
            self._dismiss(caller, "refused: it has no token, or a wrong one" if end else "refused: that is no greeting")
            return
        guest = self._guest
        if guest is not None and guest.idle < self._idle:
            self._answer(caller, greeting.IN_USE + self._text(guest).encode())
            self._dismiss(caller, f"told that the board is in use by {guest.name}")
            return
        if guest is not None:
            self._leave(guest, f"let go: silent for {guest.idle:.0f} s, and {caller.name} asks")
        self._answer(caller, greeting.READY)
        self._seat(caller)

    def _seat(self, caller: _Caller) -> None:
        self._callers.remove(caller)
        self._guest = _Guest(caller.connection, caller.name)
        self.hosts += 1
        self._told(f"{caller.name} has the board")

    def _carry(self, guest: _Guest) -> None:
        """Bytes in both directions, for a moment."""
        data = b""
        try:
            if guest.connection in self._ready(_ALONE if guest.idle > _TIRED else 0):
                data = guest.connection.recv(_CHUNK)
                if not data:
                    self._leave(guest, "left")
                    return
        except OSError as error:
            self._leave(guest, f"is gone ({error})")
            return
        if data:
            guest.heard = time.monotonic()
            guest.sent += len(data)
            self._link.write(data)
        answer = self._link.read(_CHUNK, _POLL)
        guest.received += len(answer)
        try:
            guest.connection.sendall(answer)
        except OSError as error:
            self._leave(guest, f"is gone ({error})")

    def _answer(self, caller: _Caller, line: bytes) -> None:
        with suppress(OSError):  # it has left, which its socket says at the next look
            caller.connection.sendall(line + b"\n")

    def _dismiss(self, caller: _Caller, why: str) -> None:
        self._callers.remove(caller)
        caller.connection.close()
        self._told(f"{caller.name} {why}")

    def _leave(self, guest: _Guest, why: str) -> None:
        self._guest = None
        guest.connection.close()
        seconds = time.monotonic() - guest.came
        self._told(
            f"{guest.name} {why}, after {seconds:,.0f} s: {guest.sent:,} bytes sent, {guest.received:,} received"
        )

    def _text(self, guest: _Guest) -> str:
        """What a caller is told of it."""
        return (
            f"by {guest.name} since {guest.since}, silent for {guest.idle:.0f} s; try again later: it keeps the board "
            f"until it leaves, or is silent for {self._idle:g} s while another asks"
        )
