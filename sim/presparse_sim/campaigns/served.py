"""A simulated board behind a TCP port of this process, as `presparse serve` serves it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from presparse.device.links.link import Link
from presparse.device.serving import Server


@contextmanager
def served(link: Link, *, idle: float) -> Iterator[int]:
    """Gives the port. The link stays open; only the server uses it meanwhile."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    thread = threading.Thread(target=Server(link, listener, idle=idle).run, args=(stop.is_set,))
    thread.start()
    try:
        yield port
    finally:
        stop.set()
        thread.join()
