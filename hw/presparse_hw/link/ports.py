"""Ports inside the link: what frames, requests and answers are on their way between its components."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.operations import Payload, Status
from presparse_hw.link.sizes import LENGTH_BITS
from presparse_hw.samples.ports import WordLayout

LENGTH = unsigned(LENGTH_BITS)
"""Shape of a payload's length in bytes, 0 .. MAX_PAYLOAD."""


class ByteLayout(data.StructLayout):
    """One byte of a payload or a frame, and whether it is the last one."""

    def __init__(self) -> None:
        super().__init__({"data": 8, "last": 1})


class FieldsLayout(data.StructLayout):
    """The fields of a payload, the first one's first byte lowest."""

    def __init__(self, payload: Payload) -> None:
        super().__init__({name: 8 * size for name, size in payload.field_bytes.items()})


class RequestLayout(data.StructLayout):
    """A request's header; its payload lies in the request memory."""

    def __init__(self) -> None:
        super().__init__({"sequence": 8, "operation": 8, "length": LENGTH})


class AnswerLayout(data.StructLayout):
    """An answer's header; its payload lies in the answer memory."""

    def __init__(self) -> None:
        super().__init__({"sequence": 8, "operation": 8, "status": Status, "length": LENGTH})


class FrameLayout(data.StructLayout):
    """The header of a frame that arrived whole. `stored`: its payload is in the request memory."""

    def __init__(self) -> None:
        super().__init__({"sequence": 8, "operation": 8, "length": LENGTH, "stored": 1})


class CompressedSignature(wiring.Signature):
    """Compressed samples of the link, seen from what decodes them.

    Members
    -------
    words : In(stream)
    accepted : Out(1)   one cycle per sample that the core took whole
    settled : Out(1)    all words taken were good, and the core took all whole samples of them
    bad : Out(1)        a cycle late: a sample's words are bad, and the core took all before it; until its `discard`
    """

    def __init__(self) -> None:
        words = stream.Signature(WordLayout())
        super().__init__({"words": In(words), "accepted": Out(1), "settled": Out(1, init=1), "bad": Out(1)})


class UnitSignature(wiring.Signature):
    """How the executor runs a request on the unit for its operation, seen from the unit.

    A unit out of reset is idle; when the time limit runs out, the executor resets it. An idle unit takes nothing,
    answers nothing and is not done.

    Members
    -------
    start : In(1)      a request begins
    operation, length : In   of the request, from 2 cycles before `start` until `done`
    payload : In(stream)     the request's bytes, from the cycle after `start`; a unit may leave some
    answer : Out(stream)     bytes of the answer, always taken; of no effect unless `status` is OK
    done : Out(1)      the request is done; in a cycle after `start`; a byte of the answer may come with it
    status : Out       with `done`
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "operation": In(8),
                "length": In(LENGTH),
                "payload": In(stream.Signature(ByteLayout())),
                "answer": Out(stream.Signature(8, always_ready=True)),
                "done": Out(1),
                "status": Out(Status),
            }
        )
