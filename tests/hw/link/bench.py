"""An endpoint with a fake core, and a host that speaks to it in bytes."""

from __future__ import annotations

import random
import struct
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from amaranth.sim import Simulator, SimulatorContext
from cobs import cobs
from numpy.typing import NDArray

from presparse.contract.address_map import Counter, counter_address
from presparse.contract.build import Build
from presparse.contract.formats import Formats
from presparse.contract.network import Network
from presparse.contract.operations import OPERATIONS, Operation, Status
from presparse.contract.sample_words import Palettes
from presparse.contract.wire import (
    COMPRESSED,
    COMPRESSED_HEADER,
    RECORD_HEADER,
    WINDOW,
    ResultForm,
    SampleKind,
    value_bytes,
)
from presparse_hw.link.endpoint import Endpoint
from tests.hw import compiled
from tests.hw.compiled import CompiledContext
from tests.hw.link.fake_core import FakeCore

Context = SimulatorContext | CompiledContext

WATCHDOG_CYCLES = 200
TIME_LIMIT = 300
SCORES, CLASSES = bytes([ResultForm.SCORES]), bytes([ResultForm.CLASS])
"""Payloads of RESULTS."""


def small_build(
    *,
    formats: Formats | None = None,
    outputs: int = 4,
    result_capacity: int = 8,
    feature_port: int = 1,
    features: int = 8,
    classes: int = 3,
    mode: Literal["train", "infer"] = "train",
    **store: Any,
) -> Build:
    """8 left neurons, 4 outputs (3 classes), two scores per transfer of results."""
    network = Network(
        features=features, classes=classes, layers=(8, 8, outputs), out_degree=(4, outputs // 4), lanes=(4, 4),
        activations=("relu", "sigmoid"), formats=formats or Formats(),
    )  # fmt: skip
    return Build(network=network, result_capacity=result_capacity, feature_port=feature_port, mode=mode, **store)


STORE_BUILD = small_build(features=7, feature_port=2, store_samples=40, sample_bits=3)
"""Of tests of compressed and stored samples: a last block that is not full, more samples than are under way at once."""


def palettes_of(build: Build, features: NDArray[np.int64]) -> Palettes:
    assert build.sample_format is not None
    return Palettes.of(build.sample_format, features)


def few_valued(build: Build, count: int, seed: int = 0) -> NDArray[np.int64]:
    """Features (count, N_0) with as many values as sample words tell apart, the extreme ones among them."""
    rng = np.random.default_rng(seed)
    fmt, network = build.network.formats.activation, build.network
    values = np.append([fmt.min, fmt.max], rng.choice(np.arange(fmt.min + 1, fmt.max), (1 << build.sample_bits) - 2))
    features = np.zeros((count, network.layers[0]), np.int64)
    features[:, : network.features] = rng.choice(values, (count, network.features))
    return features


def encode(body: bytes) -> bytes:
    """A frame with this inside, CRC appended, delimited."""
    return cobs.encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


def frame(sequence: int, operation: int, payload: bytes = b"") -> bytes:
    return encode(bytes([sequence % 256, operation]) + payload)


def record(build: Build, kind: SampleKind, features: list[int], *, label: int = 0, rate: int = 0) -> bytes:
    size = value_bytes(build.network.formats.activation)
    values = b"".join(value.to_bytes(size, "little", signed=True) for value in features)
    return RECORD_HEADER.pack(kind, rate, label) + values


def compressed(kind: SampleKind, words: Iterable[int], *, rate: int = 0) -> bytes:
    """A record of sample words, whatever they are."""
    return COMPRESSED_HEADER.pack(kind | COMPRESSED, rate) + b"".join(word.to_bytes(2, "little") for word in words)


@dataclass(frozen=True)
class Answer:
    sequence: int
    operation: int
    status: Status
    payload: bytes

    @classmethod
    def parse(cls, encoded: bytes) -> Answer:
        body = cobs.decode(encoded)
        assert zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little"), "an answer's CRC is wrong"
        return cls(body[0], body[1], Status(body[2]), body[3:-4])


class Bench:
    """Runs a test against an endpoint. `gaps` is the probability of a pause, per byte and stream.

    `compiled`: in Verilator, else in Amaranth's simulator, which is quicker for a short test of a build of its own.
    """

    def __init__(
        self,
        build: Build | None = None,
        *,
        seed: int = 0,
        gaps: float = 0.0,
        core_stall: float = 0.0,
        window: int = WINDOW,
        compiled: bool = True,
    ) -> None:
        self.build = build or small_build()
        self._identity = f"{self.build.hash} {window}"
        self._compiled = compiled
        self.rng = random.Random(seed)
        self.gaps = gaps
        self.endpoint = Endpoint(
            self.build,
            build_id="0123456789abcdef",
            window=window,
            watchdog_cycles=WATCHDOG_CYCLES,
            time_limit=TIME_LIMIT,
        )
        self.core = FakeCore(self.build, self.endpoint.core, random.Random(seed + 1), stall=core_stall)
        self.sequence = 0
        self.cycle = 0
        self.bytes_taken = 0
        self.first_byte_at: int | None = None
        self.answered_at: list[int] = []
        self.hold_output = False
        self._to_board: deque[int] = deque()
        self._received = bytearray()
        self._answers: deque[Answer] = deque()
        self._ctx: Context

    def run(self, test: Callable[[Bench], Awaitable[None]]) -> None:
        async def main(ctx: Context) -> None:
            self._ctx = ctx
            await test(self)

        background = self._send, self._receive, self.core.run
        if self._compiled:
            compiled.simulate(self.endpoint, self._identity, main, *background)
        else:
            simulator = Simulator(self.endpoint)
            simulator.add_clock(1e-8)
            for each in background:
                simulator.add_testbench(each, background=True)
            simulator.add_testbench(main)
            simulator.run()

    # What a test does

    def send(self, data: bytes) -> None:
        self._to_board += data

    def request(self, operation: int, payload: bytes = b"") -> int:
        """Send a request with the next sequence number; returns the number."""
        sequence = self.sequence
        self.send(frame(sequence, operation, payload))
        self.sequence = (sequence + 1) % 256
        return sequence

    async def ask(self, operation: int, payload: bytes = b"", *, status: Status = Status.OK) -> bytes:
        """Send a request, wait for its answer, check number, operation and status; returns the payload."""
        sequence = self.request(operation, payload)
        answer = await self.answer()
        assert (answer.sequence, answer.operation) == (sequence, operation)
        assert answer.status == status
        exchange = OPERATIONS.get(Operation(operation)) if operation in list(Operation) else None
        if exchange is None or (exchange.store_only and not self.build.store):
            assert status == Status.UNKNOWN_OPERATION
        else:
            assert status in exchange.statuses
        if status == Status.OK:
            assert exchange is not None
            assert len(answer.payload) in exchange.answer.lengths
        else:
            assert not answer.payload
        return answer.payload

    async def answer(self, *, cycles: int = 20_000) -> Answer:
        """The next answer; fails if it does not come within `cycles`."""
        for _ in range(cycles):
            if self._answers:
                return self._answers.popleft()
            await self._ctx.tick()
        raise AssertionError(f"no answer within {cycles} cycles")

    async def upload(self, contents: Mapping[int, NDArray[np.uint32]]) -> None:
        """Write words, by their first one's address."""
        for start, words in contents.items():
            for first in range(0, len(words), 255):
                part = words[first : first + 255].tolist()
                await self.ask(Operation.WRITE, struct.pack(f"<{1 + len(part)}I", start + first, *part))

    async def silence(self, cycles: int = 400) -> None:
        """Let everything be sent, then wait; fails if an answer comes."""
        while self._to_board:
            await self._ctx.tick()
        await self._ctx.tick().repeat(cycles)
        assert not self._answers
        assert not self._received

    async def wait(self, cycles: int) -> None:
        await self._ctx.tick().repeat(cycles)

    async def restart(self, cycles: int) -> None:
        """Hold the endpoint's restart; requests are numbered from 0 again."""
        self._ctx.set(self.endpoint.restart, 1)
        await self.wait(cycles)
        self._ctx.set(self.endpoint.restart, 0)
        self.sequence = 0

    async def counter(self, name: Counter) -> int:
        words = await self.ask(Operation.READ, struct.pack("<IH", counter_address(name), 2))
        return int.from_bytes(words, "little")

    # Streams

    async def _send(self, ctx: Context) -> None:
        stream = self.endpoint.i_bytes
        while True:
            sending = bool(self._to_board) and self.rng.random() >= self.gaps
            if sending:
                ctx.set(stream.payload, self._to_board[0])
            ctx.set(stream.valid, sending)
            _, _, ready = await ctx.tick().sample(stream.ready)
            self.cycle += 1
            if sending:
                assert ready, "the endpoint takes bytes at any time"
                self.first_byte_at = self.cycle if self.first_byte_at is None else self.first_byte_at
                self._to_board.popleft()

    async def _receive(self, ctx: Context) -> None:
        stream = self.endpoint.o_bytes
        while True:
            ctx.set(stream.ready, not self.hold_output and self.rng.random() >= self.gaps)
            _, _, valid, ready, byte = await ctx.tick().sample(stream.valid, stream.ready, stream.payload)
            if valid and ready:
                if byte:
                    self._received.append(byte)
                elif self._received:
                    self._answers.append(Answer.parse(bytes(self._received)))
                    self.answered_at.append(self.cycle)
                    self._received.clear()
