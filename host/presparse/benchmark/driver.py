"""The driver alone: how many samples per second become frames, from encoded features on, and in how many bytes."""

from __future__ import annotations

import struct
import time
from collections import deque
from dataclasses import dataclass

from cobs import cobs

from presparse.benchmark.link import Uart
from presparse.contract.build import Build
from presparse.contract.operations import Operation, Status
from presparse.contract.sample_words import Palettes
from presparse.contract.samples import Samples
from presparse.contract.store import StoreState
from presparse.contract.wire import PROTOCOL_VERSION, Identity, crc
from presparse.device.links.link import Link
from presparse.device.session import Session

_WINDOW = 64
"""Requests in flight: the most that boards have."""
_AT_ONCE = 4096
"""Samples: as many as a fit hands over."""


@dataclass(frozen=True, kw_only=True)
class Driver:
    """One processor, and a board that takes everything at once."""

    samples_per_second: float
    """Trained: packed, framed, sent, and their answers checked."""
    compressed: bool


class CountingLink:
    """Passes everything on to `link`, and counts."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.written = 0
        self.read_ = 0

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self._link.write(data)

    def read(self, limit: int, timeout: float) -> bytes:
        data = self._link.read(limit, timeout)
        self.read_ += len(data)
        return data

    def close(self) -> None:
        self._link.close()


class Acknowledging:
    """A `Link` to a board of `build` that acknowledges everything, and computes nothing; its palettes can be read
    back."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._memory: dict[int, bytes] = {}
        """What was written, by address."""
        self._to_host: deque[bytes] = deque()
        self._next = 0
        self._taken = [_answer(number, Operation.SAMPLES, bytes(2)) for number in range(256)]

    def write(self, data: bytes) -> None:
        for frame in data.split(b"\0"):
            if frame:
                self._take(frame)

    def read(self, limit: int, timeout: float) -> bytes:
        data = b"".join(self._to_host)
        self._to_host.clear()
        return data

    def close(self) -> None:
        """There is nothing to give back."""

    def _take(self, frame: bytes) -> None:
        if frame[2] == Operation.SAMPLES:  # no byte before it is left out, and none is put in between
            self._to_host.append(self._taken[self._next])
            self._next = (self._next + 1) % 256
            return
        sequence, operation, *_ = request = cobs.decode(frame)
        payload = request[2:-4]
        self._next = (sequence + 1) % 256
        answer = b""
        if operation == Operation.IDENTIFY:
            answer = self._identity().pack()
        elif operation == Operation.WRITE:
            self._memory[int.from_bytes(payload[:4], "little")] = payload[4:]
        elif operation == Operation.READ:
            address, count = struct.unpack("<IH", payload)
            answer = self._memory.get(address, bytes(4 * count))
        elif operation in (Operation.RUN_STATE, Operation.STOP):
            answer = bytes(9)
        self._to_host.append(_answer(sequence, Operation(operation), answer))

    def _identity(self) -> Identity:
        return Identity(
            protocol=PROTOCOL_VERSION,
            window=_WINDOW,
            result_capacity=self._build.result_capacity,
            contract_hash=self._build.hash,
            build="0" * 16,
            accepted=0,
            store=StoreState.NONE if self._build.store is None else StoreState.READY,
            read_phase=0,
        )


def measure(build: Build, samples: Samples, baud: int, seconds: float) -> tuple[Driver, Uart]:
    """Train `samples` over and over, compressed if the build knows how; and what a UART would carry."""
    link = CountingLink(Acknowledging(build))
    session = Session(lambda: link, build)
    if build.sample_format is not None:
        session.set_palettes(Palettes.of(build.sample_format, samples.features))
    parts = [samples[first : first + _AT_ONCE] for first in range(0, len(samples), _AT_ONCE)]
    session.feed(parts[0])
    written, read = link.written, link.read_
    count, begun = 0, time.perf_counter()
    while not count or time.perf_counter() - begun < seconds:
        for part in parts:
            session.feed(part)
        count += len(samples)
    took = time.perf_counter() - begun
    session.close()
    driver = Driver(samples_per_second=count / took, compressed=session.palettes is not None)
    return driver, Uart.of(baud, (link.written - written) / count, (link.read_ - read) / count)


def _answer(sequence: int, operation: Operation, payload: bytes) -> bytes:
    body = bytes((sequence, operation, Status.OK)) + payload
    return cobs.encode(body + crc(body)) + b"\0"
