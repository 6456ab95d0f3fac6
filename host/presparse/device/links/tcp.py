"""A board behind a TCP port (`tcp:HOST:PORT`), and the loop that puts one there."""

from __future__ import annotations

import select
import socket
import threading

from presparse.device.links.link import Link
from presparse.errors import LinkClosed, LinkError, LinkTimeout

CONNECT_TIMEOUT = 5.0
WRITE_TIMEOUT = 5.0
"""Seconds in which the other side must take what is written."""

_POLL = 0.002
"""Seconds that `serve` waits on one side before it looks at the other."""
_CHUNK = 65536


class TcpLink:
    """A TCP connection. Raises LinkClosed if nothing listens there."""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"tcp:{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT)
        except OSError as error:
            raise LinkClosed(
                f"{self.name}: cannot connect ({error}); check the address, and that a board is served there"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        try:
            self._socket.settimeout(WRITE_TIMEOUT)
            self._socket.sendall(data)
        except TimeoutError as error:
            raise LinkTimeout(f"{self.name}: took nothing for {WRITE_TIMEOUT:g} s; check the other side") from error
        except OSError as error:
            raise self._closed(str(error)) from error

    def read(self, limit: int, timeout: float) -> bytes:
        try:
            # A timeout of 0 would mean non-blocking, which raises another error.
            self._socket.settimeout(max(timeout, 1e-6))
            data = self._socket.recv(limit)
        except TimeoutError:
            return b""
        except OSError as error:
            raise self._closed(str(error)) from error
        if not data:
            raise self._closed("the other side closed it")
        return data

    def close(self) -> None:
        self._socket.close()

    def _closed(self, reason: str) -> LinkClosed:
        return LinkClosed(f"{self.name}: the connection is gone ({reason}); check the other side and open it again")


def serve(link: Link, listener: socket.socket, stop: threading.Event) -> None:
    """Carry bytes between `link` and one client of `listener` at a time, until `stop` is set or the link closes.

    A client may go and come back: the board keeps what it has, and answers that nobody waits for are dropped.
    """
    with listener:
        while not stop.is_set():
            while link.read(_CHUNK, 0):
                pass
            if not select.select([listener], [], [], 50 * _POLL)[0]:
                continue
            client, _ = listener.accept()
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.settimeout(WRITE_TIMEOUT)
                try:
                    _carry(link, client, stop)
                except LinkError:
                    raise
                except OSError:
                    continue  # the client is gone; the next one goes on


def _carry(link: Link, client: socket.socket, stop: threading.Event) -> None:
    """Until the client closes."""
    while not stop.is_set():
        if select.select([client], [], [], 0)[0]:
            data = client.recv(_CHUNK)
            if not data:
                return
            link.write(data)
        answer = link.read(_CHUNK, _POLL)
        if answer:
            client.sendall(answer)
