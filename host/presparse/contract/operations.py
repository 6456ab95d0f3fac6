"""What a host can ask of a board: the one table of operations that gateware, driver and docs/protocol.md go by.

How requests and answers are framed is in `presparse.contract.wire`.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

MAX_PAYLOAD = 1024
"""Bytes of a request's or an answer's payload."""

FieldType = Literal["u8", "u16", "u32", "4 bytes", "8 bytes", "32 bytes"]
_FORMATS: Mapping[FieldType, str] = {
    "u8": "B", "u16": "H", "u32": "I", "4 bytes": "4s", "8 bytes": "8s", "32 bytes": "32s",
}  # fmt: skip


class Operation(enum.IntEnum):
    IDENTIFY = 0x01
    """Who is there? Starts a session."""
    READ = 0x02
    """Words of counters, edges, biases or stored samples (`presparse.contract.address_map`)."""
    WRITE = 0x03
    """Words of edges, biases or stored samples."""
    SAMPLES = 0x04
    """Any piece of the stream of sample records."""
    RESULTS = 0x05
    """Scores of predicted samples."""
    FLUSH = 0x06
    """Empty blocks until every sample is done; answered once the pipeline is drained."""
    CLEAR_COUNTERS = 0x07
    """All counters to zero."""
    RESET = 0x08
    """Pipeline, run, results and counters to their initial state; weights and stored samples stay."""
    RUN = 0x09
    """Begin to feed stored samples."""
    STOP = 0x0A
    """The run ends after the samples under way."""
    RUN_STATE = 0x0B
    """How far the newest run is."""


class Status(enum.IntEnum):
    """Meanings: `STATUSES`."""

    OK = 0
    UNKNOWN_OPERATION = 1
    BAD_LENGTH = 2
    BAD_ADDRESS = 3
    NOT_DRAINED = 4
    BAD_SAMPLE = 5
    STALLED = 6
    RUNNING = 7
    BAD_RUN = 8


@dataclass(frozen=True, kw_only=True)
class Payload:
    """What a request or an answer carries: fields, little-endian and without gaps, and then equal items."""

    fields: Mapping[str, FieldType] = field(default_factory=dict)
    """In order."""
    items: str = ""
    """What follows the fields; empty: nothing."""
    item_bytes: int = 1
    least: int = 0
    """Items ..."""
    most: int = 0
    """... from these to those."""

    @cached_property
    def layout(self) -> struct.Struct:
        """Of the fields."""
        return struct.Struct("<" + "".join(_FORMATS[kind] for kind in self.fields.values()))

    @property
    def field_bytes(self) -> dict[str, int]:
        """Bytes of each field."""
        return {name: struct.calcsize(_FORMATS[kind]) for name, kind in self.fields.items()}

    @property
    def lengths(self) -> range:
        """How many bytes it may have in all."""
        smallest, largest = (self.layout.size + self.item_bytes * count for count in (self.least, self.most))
        return range(smallest, largest + 1, self.item_bytes)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request for an operation, its answer, and when it is executed."""

    request: Payload = Payload()
    answer: Payload = Payload()
    """With status OK; all others have none."""
    store_only: bool = False
    """Of boards with a sample store alone; to others it is UNKNOWN_OPERATION."""
    during_run: bool = True
    """Executed while stored samples are fed; else RUNNING."""
    drained: Literal["", "but for counters", "always"] = ""
    """When the pipeline must hold no sample; else NOT_DRAINED."""
    half_record: Literal["kept", "continued", "dropped", "refused"] = "kept"
    """What becomes of a half-received sample record, or that there must be none."""
    refusals: frozenset[Status] = frozenset()
    """Statuses of its own; `statuses` are all."""

    @property
    def statuses(self) -> frozenset[Status]:
        """What it may be answered with by boards that know it."""
        found = {Status.OK, Status.BAD_LENGTH, *self.refusals}
        if not self.during_run:
            found.add(Status.RUNNING)
        if self.drained:
            found.add(Status.NOT_DRAINED)
        return frozenset(found)


_RUN_STATE = Payload(fields={"running": "u8", "fed": "u32", "runs": "u32"})
_WORD_BYTES = 4

OPERATIONS: Mapping[Operation, Exchange] = MappingProxyType(
    {
        Operation.IDENTIFY: Exchange(
            answer=Payload(
                fields={
                    "magic": "4 bytes",
                    "protocol": "u16",
                    "window": "u16",
                    "result_capacity": "u16",
                    "accepted": "u32",
                    "contract_hash": "32 bytes",
                    "build": "8 bytes",
                    "store": "u8",
                    "read_phase": "u8",
                }
            ),
            half_record="dropped",
        ),
        Operation.READ: Exchange(
            request=Payload(fields={"address": "u32", "count": "u16"}),
            answer=Payload(items="words u32", item_bytes=_WORD_BYTES, least=1, most=256),
            drained="but for counters",
            refusals=frozenset((Status.BAD_ADDRESS, Status.STALLED)),
        ),
        Operation.WRITE: Exchange(
            request=Payload(fields={"address": "u32"}, items="words u32", item_bytes=_WORD_BYTES, least=1, most=255),
            drained="always",
            refusals=frozenset((Status.BAD_ADDRESS, Status.STALLED)),
        ),
        Operation.SAMPLES: Exchange(
            request=Payload(items="bytes of the stream of sample records", least=1, most=MAX_PAYLOAD),
            answer=Payload(fields={"results_waiting": "u16"}),
            during_run=False,
            half_record="continued",
            refusals=frozenset((Status.BAD_SAMPLE, Status.STALLED)),
        ),
        Operation.RESULTS: Exchange(
            request=Payload(fields={"form": "u8"}),
            answer=Payload(items="bytes of whole results, as many as are ready and fit", most=MAX_PAYLOAD),
            refusals=frozenset((Status.STALLED,)),
        ),
        Operation.FLUSH: Exchange(
            during_run=False, half_record="refused", refusals=frozenset((Status.BAD_SAMPLE, Status.STALLED))
        ),
        Operation.CLEAR_COUNTERS: Exchange(),
        Operation.RESET: Exchange(half_record="dropped", refusals=frozenset((Status.STALLED,))),
        Operation.RUN: Exchange(
            request=Payload(
                fields={
                    "kind": "u8",
                    "rate": "u8",
                    "order": "u8",
                    "slot": "u8",
                    "first": "u32",
                    "count": "u32",
                    "seed": "u32",
                }
            ),
            store_only=True,
            during_run=False,
            drained="always",
            half_record="refused",
            refusals=frozenset((Status.BAD_RUN,)),
        ),
        Operation.STOP: Exchange(answer=_RUN_STATE, store_only=True),
        Operation.RUN_STATE: Exchange(answer=_RUN_STATE, store_only=True),
    }
)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """Of a status."""

    text: str
    mend: str = ""
    """What a user can do who did not ask for it."""


STATUSES: Mapping[Status, Meaning] = MappingProxyType(
    {
        Status.OK: Meaning(text="executed"),
        Status.UNKNOWN_OPERATION: Meaning(
            text="this board has no such operation", mend="build the board again with this Presparse"
        ),
        Status.BAD_LENGTH: Meaning(
            text="the payload's length, or a count or a form in it, is none that the operation has",
            mend="build the board again with this Presparse",
        ),
        Status.BAD_ADDRESS: Meaning(
            text="one of the words does not exist, or is not to be written",
            mend="the board was built for another network",
        ),
        Status.NOT_DRAINED: Meaning(text="samples are in flight, or half received", mend="flush first"),
        Status.BAD_SAMPLE: Meaning(
            text="a record has an unknown kind, a rate or a label out of range, or words that are not what their "
            "header says; FLUSH in the middle of a record",
            mend="reset the board, and load the model again",
        ),
        Status.STALLED: Meaning(
            text="the pipeline did not move for the board's time limit (results were not read)",
            mend="reset the board, and load the model again",
        ),
        Status.RUNNING: Meaning(
            text="a run is on: wait for its end, or stop it", mend="wait for the end of the run, or stop it"
        ),
        Status.BAD_RUN: Meaning(
            text="a run of an unknown kind, order or slot, with a rate out of range, over samples that are not all "
            "there, or of a store that is not ready",
            mend="the board's store was built for other samples, or its memory fails",
        ),
    }
)
