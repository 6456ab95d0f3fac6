"""Hosts of a served board that vanish: without a word, or with a reset, in the middle of a frame; another goes on."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

import numpy as np

from presparse.device.links.tcp import TcpLink
from presparse.errors import LinkClosed, PresparseError
from presparse_sim.board import open_link
from presparse_sim.campaigns.bounded import bounded
from presparse_sim.campaigns.builds import STORED
from presparse_sim.campaigns.row import Row
from presparse_sim.campaigns.served import served
from presparse_sim.campaigns.twins import Mismatch, Twins
from presparse_sim.campaigns.workload import Workload

IDLE = 0.1
"""Seconds after which a silent host is let go: less than another tries to get in."""
_TIMEOUT = 1.0
_VANISHES = 0.01
"""Probability, per write."""
_RESET = struct.pack("ii", 1, 0)
"""Linger for no time: the other side sees a reset."""


class VanishingHost(TcpLink):
    """Sends half of what it should, and then is gone for its session; for the server it is silent, or reset."""

    def __init__(self, port: int, rng: np.random.Generator) -> None:
        self.vanished = False
        self._rng = rng
        super().__init__("127.0.0.1", port)

    def write(self, data: bytes) -> None:
        self._check_here()
        if self._rng.random() < _VANISHES:
            super().write(data[: len(data) // 2])
            self.vanished = True
            if self._rng.random() < 0.5:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                super().close()
            self._check_here()
        super().write(data)

    def read(self, limit: int, timeout: float) -> bytes:
        self._check_here()
        return super().read(limit, timeout)

    def close(self) -> None:
        """As nobody does who has vanished."""
        if not self.vanished:
            super().close()

    def end(self) -> None:
        """The silent connection is closed at last."""
        super().close()

    def _check_here(self) -> None:
        if self.vanished:
            raise LinkClosed("this host has vanished")


def hosts_that_vanish(vanished: int, seed: int, told: Callable[[int], None] = lambda vanished: None) -> Row:
    """Until so many have, one board is used by one host after the other, and holds what the reference does."""
    row, began, rng = Row(fault="hosts that vanish"), time.monotonic(), np.random.default_rng(seed)
    hosts: list[VanishingHost] = []

    def connect(port: int) -> VanishingHost:
        if hosts and not hosts[-1].vanished:
            hosts[-1].end()
        hosts.append(VanishingHost(port, rng))
        return hosts[-1]

    board = open_link(STORED)
    with served(board, idle=IDLE) as port:
        try:
            with bounded():
                twins = Twins(STORED, lambda: connect(port), time, rng, timeout=_TIMEOUT)
                workload = Workload(twins, rng)
            while row.faulted < vanished:
                with bounded():
                    workload.step()
                row.faulted = sum(host.vanished for host in hosts)
                told(row.faulted)
            with bounded():
                twins.compare()
            row.sessions, row.errors, row.compared = twins.sessions, twins.errors, twins.compared
        except (Mismatch, PresparseError) as error:
            row.mismatches.append(f"{row.fault}, seed {seed}, after {row.faulted}: {error}")
        for host in hosts:
            host.end()
    board.close()
    row.frames, row.retried = len(hosts), len(hosts) - 1
    row.seconds = time.monotonic() - began
    return row
