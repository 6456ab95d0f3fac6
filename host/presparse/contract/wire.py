"""The wire format between host and board: frames, sample records, identity and runs (docs/protocol.md).

What can be asked for, and how, is in `presparse.contract.operations`.

A frame is COBS-encoded and ends with a zero byte. Inside, little-endian:

    request: sequence (1) | operation (1) | payload (0 .. 1024) | CRC-32 (4)
    answer:  sequence (1) | operation (1) | status (1) | payload (0 .. 1024) | CRC-32 (4)
"""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from presparse.contract.formats import Format
from presparse.contract.operations import OPERATIONS, Operation
from presparse.contract.permutation import order

PROTOCOL_VERSION = 3
MAGIC = b"PSPA"
WINDOW = 4
"""Requests that may be unanswered at once; the board buffers as many, and remembers as many answers."""
CRC_BYTES = 4
REQUEST_HEADER = 2
ANSWER_HEADER = 3


class SampleKind(enum.IntEnum):
    FLUSH = 0
    PREDICT = 1
    """FF only; the scores of all outputs come back as a result."""
    TRAIN = 2
    """FF, BP, UP; counts whether the prediction was correct."""
    EVALUATE = 3
    """FF only; counts whether the prediction was correct."""


RECORD_HEADER = struct.Struct("<BBH")
"""kind u8, rate exponent k u8 (0 unless training), label u16 (0 for predictions); features follow."""
COMPRESSED = 4
"""Added to a record's kind: instead of label and features, the sample's words (`presparse.contract.sample_words`)
follow, two bytes each; the label of a prediction is 0."""
COMPRESSED_HEADER = struct.Struct("<BB")
"""kind u8, rate exponent k u8; words follow."""


class ResultForm(enum.IntEnum):
    """How RESULTS gives a predicted sample."""

    SCORES = 0
    """Of all outputs."""
    CLASS = 1
    """The number of the highest score, the first of equal ones: `class_bytes` bytes."""


class Order(enum.IntEnum):
    """In which order a run feeds its samples."""

    SEQUENTIAL = 0
    PERMUTED = 1
    """`presparse.contract.permutation`."""


def value_bytes(fmt: Format) -> int:
    """Bytes of one feature or score on the wire, two's complement, little-endian."""
    return 1 if fmt.width <= 8 else 2 if fmt.width <= 16 else 4


def class_bytes(classes: int) -> int:
    """Bytes of a class as a result."""
    return 1 if classes <= 1 << 8 else 2


def crc(body: bytes) -> bytes:
    """CRC-32 (zlib's) of everything before it in a frame."""
    return zlib.crc32(body).to_bytes(CRC_BYTES, "little")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a board says about itself."""

    protocol: int
    window: int
    result_capacity: int
    """Predicted samples that the board can hold; a host leaves at most as many unread."""
    contract_hash: str
    """SHA-256 of the build, 64 hexadecimal digits."""
    build: str
    """16 hexadecimal digits that tell bitstreams of one build apart (0: not set)."""
    accepted: int
    """Samples accepted since reset (modulo 2^32), those of runs too: where to go on after a cut."""
    store: int
    """Its `presparse.contract.store.StoreState`."""
    read_phase: int
    """Of an SDRAM: when its data are taken, of the phases that its test tries; 0 for others."""

    LAYOUT = OPERATIONS[Operation.IDENTIFY].answer.layout

    def pack(self) -> bytes:
        return self.LAYOUT.pack(
            MAGIC,
            self.protocol,
            self.window,
            self.result_capacity,
            self.accepted,
            bytes.fromhex(self.contract_hash),
            bytes.fromhex(self.build),
            self.store,
            self.read_phase,
        )

    @classmethod
    def unpack(cls, payload: bytes) -> Identity:
        """Raises ValueError if `payload` is no identity (another length or magic), or that of another protocol."""
        magic, protocol = payload[: len(MAGIC)], payload[len(MAGIC) : len(MAGIC) + 2]
        if magic == MAGIC and len(protocol) == 2 and (found := int.from_bytes(protocol, "little")) != PROTOCOL_VERSION:
            raise ValueError(
                f"the board speaks protocol {found}, and this Presparse {PROTOCOL_VERSION}; build the board again, or "
                "install the Presparse that built it"
            )
        if len(payload) != cls.LAYOUT.size or magic != MAGIC:
            raise ValueError(
                f"not a Presparse identity: {payload[:16].hex(' ')} ({len(payload)} bytes); is this a board that "
                "Presparse built?"
            )
        _, protocol, window, capacity, accepted, contract, build, store, phase = cls.LAYOUT.unpack(payload)
        return cls(
            protocol=protocol,
            window=window,
            result_capacity=capacity,
            contract_hash=contract.hex(),
            build=build.hex(),
            accepted=accepted,
            store=store,
            read_phase=phase,
        )


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """Stored samples to be fed to the core, and then a flush."""

    kind: SampleKind
    """TRAIN or EVALUATE."""
    rate: int = 0
    """Exponent k: the learning rate is 2^-k; 0 unless training."""
    slot: int
    """log2 of the words of a sample's slot."""
    first: int = 0
    count: int
    seed: int | None = None
    """Of the permutation (32 bits); None: in the order in which they are stored."""

    LAYOUT = OPERATIONS[Operation.RUN].request.layout

    def indices(self) -> NDArray[np.int64]:
        """The stored samples (count,) in the order in which they are fed."""
        return self.first + order(self.count, self.seed)

    def pack(self) -> bytes:
        order = Order.SEQUENTIAL if self.seed is None else Order.PERMUTED
        return self.LAYOUT.pack(self.kind, self.rate, order, self.slot, self.first, self.count, self.seed or 0)


@dataclass(frozen=True, kw_only=True)
class RunState:
    """What a board says about its newest run."""

    running: bool
    """It has not ended: samples are fed, or the flush behind them drains the pipeline."""
    fed: int
    """Samples of it that the core has accepted."""
    runs: int
    """Runs begun since reset (modulo 2^32)."""

    LAYOUT = OPERATIONS[Operation.RUN_STATE].answer.layout

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.running, self.fed, self.runs)

    @classmethod
    def unpack(cls, payload: bytes) -> RunState:
        """Raises ValueError if `payload` has another length."""
        if len(payload) != cls.LAYOUT.size:
            raise ValueError(f"the state of a run has {cls.LAYOUT.size} bytes, and this {len(payload)}")
        running, fed, runs = cls.LAYOUT.unpack(payload)
        return cls(running=bool(running), fed=fed, runs=runs)
