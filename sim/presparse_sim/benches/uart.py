"""The host's end of a UART's pins, bit by bit in simulated time: a `Link` for the host's own driver."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.simtime import get_sim_time
from cocotb.task import resume
from cocotb.triggers import Event, FallingEdge, First, Timer

from presparse_sim.benches.streams import pin

_PAUSE = 0.02
"""Share of bytes before which the host pauses for a part of a bit's time."""


class PinLink:
    """A serial port with a baud rate of its own, wired to a design's pins `rx` and `tx`; also its own `Clock`.

    Simulated time passes only inside `read` and `sleep`. All methods but `run` are for threads that cocotb bridges.

    Raises AssertionError if a byte on `tx` has no stop bit.
    """

    def __init__(self, dut: HierarchyObject, baud: float, rng: np.random.Generator) -> None:
        self._rx, self._tx = pin(dut, "rx"), pin(dut, "tx")
        self._bit_ps = round(1e12 / baud)
        self._rng = rng
        self._sent: deque[int] = deque()
        self._received = bytearray()
        self._written, self._came = Event(), Event()

    def run(self) -> None:
        """Begin to drive and to watch the pins."""
        self._rx.value = 1
        cocotb.start_soon(self._send())
        cocotb.start_soon(self._receive())

    def write(self, data: bytes) -> None:
        """Queue bytes; they go out while `read` lets time pass."""
        self._sent.extend(data)
        self._written.set()

    @resume
    async def read(self, limit: int, timeout: float) -> bytes:
        """1 to `limit` bytes as soon as there are any; b"" if none came within `timeout` simulated seconds."""
        if not self._received and timeout > 0:
            self._came.clear()
            await First(self._came.wait(), Timer(round(timeout * 1e12), "ps"))
        data = bytes(self._received[:limit])
        del self._received[:limit]
        return data

    def close(self) -> None:
        """The pins stay."""

    def monotonic(self) -> float:
        """Simulated seconds."""
        return get_sim_time("ps") / 1e12

    @resume
    async def sleep(self, seconds: float, /) -> None:
        """Let simulated seconds pass."""
        await Timer(round(seconds * 1e12), "ps")

    async def _send(self) -> None:
        while True:
            while not self._sent:
                self._written.clear()
                await self._written.wait()
            byte = self._sent.popleft()
            if self._rng.random() < _PAUSE:
                await Timer(int(self._rng.integers(1, self._bit_ps)), "ps")
            for level in (0, *(byte >> bit & 1 for bit in range(8)), 1):
                self._rx.value = level
                await Timer(self._bit_ps, "ps")

    async def _receive(self) -> None:
        while True:
            await FallingEdge(self._tx)
            await Timer(self._bit_ps * 3 // 2, "ps")
            byte = 0
            for bit in range(8):
                byte |= int(self._tx.value) << bit
                await Timer(self._bit_ps, "ps")
            assert self._tx.value, f"byte {byte:#04x} on tx has no stop bit"
            self._received.append(byte)
            self._came.set()
