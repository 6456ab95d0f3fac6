"""Payload memories: what is streamed out of a slot is what was written there."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Module, Signal

from presparse.contract.operations import MAX_PAYLOAD
from presparse_hw.lib.delays import delay
from presparse_hw.link.sizes import OFFSET_BITS
from presparse_hw.link.slots import SlotMemory
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import anything
from tests.verification.formal.streams import assert_contract, transfers


class PayloadComesWhole(Elaboratable):
    """After `start`, the slot's bytes come in order, each once, `last` with the last alone, and no more than `length`:
    checked for one byte of one slot that the solver chooses, which was written and is not written again meanwhile. A
    `start` drops what is left, the one exception to the stream's contract."""

    def __init__(self, slots: int) -> None:
        self._dut = SlotMemory(slots)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut = self._dut
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        assert_contract(m, dut, unless=dut.start)
        watched, known, kept = (inside[f"memory.{name}"] for name in ("watched", "known", "kept0"))
        watched_offset, watched_slot = watched[:OFFSET_BITS], watched[OFFSET_BITS:]

        # The slot stays while bytes are left; lengths are at most a payload.
        streaming, length, given = Signal(), Signal.like(dut.length), Signal.like(dut.length)
        slot_before = delay(m, dut.slot, 1, name="slot_before")
        m.d.comb += [
            Assume(~streaming | (dut.slot == slot_before)),
            Assume(dut.length <= MAX_PAYLOAD),
        ]
        with m.If(dut.start):
            m.d.sync += [streaming.eq(dut.length != 0), length.eq(dut.length), given.eq(0)]
        with m.Elif(transfers(dut.bytes)):
            m.d.sync += [given.eq(given + 1), streaming.eq(given + 1 != length)]

        # The watched byte is asked for in this stream, and it stood there when the stream began.
        of_stream, intact = Signal(), Signal()
        m.d.comb += of_stream.eq(streaming & (dut.slot == watched_slot) & (watched_offset < length))
        with m.If(dut.start):
            m.d.sync += intact.eq(known & ~inside["memory.written"])
        with m.Elif(inside["memory.written"]):
            m.d.sync += intact.eq(0)
        with m.If(dut.bytes.valid):
            m.d.comb += [
                Assert(streaming, "a byte comes outside of a payload"),
                Assert(dut.bytes.payload.last == (given + 1 == length), "last comes with the last byte"),
            ]
            with m.If(of_stream & intact & (given == watched_offset)):
                m.d.comb += Assert(dut.bytes.payload.data == kept, "a byte is another than was written")

        # For induction: the bytes asked for and not given are in four places, the oldest first.
        places = [
            (dut.bytes.valid, dut.bytes.payload.data, dut.bytes.payload.last),
            (inside["skid.full"], inside["skid.spare"][:8], inside["skid.spare"][8]),
            (inside["fetcher.bytes__valid"], inside["memory.data0"], inside["fetcher.bytes__payload"][8]),
            (inside["fetcher.valid1"], inside["memory.word0"], inside["fetcher.last1"]),
        ]
        offset, left, more = Signal.like(dut.length), inside["left"], inside["more"]
        m.d.comb += offset.eq(length - left)
        m.d.comb += [
            Assert(~inside["skid.full"] | dut.bytes.valid, "the second place is taken after the first"),
            Assert(more == (left != 0), "more says that bytes are left"),
            Assert(~more | streaming, "bytes are left in a payload only"),
            Assert(length <= MAX_PAYLOAD, "a payload fits"),
        ]
        number = given
        for valid, data, last in places:
            with m.If(valid):
                m.d.comb += [Assert(streaming & (number < length)), Assert(last == (number + 1 == length))]
                with m.If(of_stream & intact & (number == watched_offset)):
                    m.d.comb += Assert(data == kept, "the watched byte is under way")
            number = (number + valid)[: len(given)]
        with m.If(streaming):
            m.d.comb += [
                Assert(number == offset, "what was asked for was given or is under way"),
                Assert((left <= length) & (given < length), "less than the whole is left"),
                Assert(~more | (inside["offset"] == offset[:OFFSET_BITS]), "the next address"),
                Assert(~intact | known, "the watched byte was written"),
            ]
        m.d.comb += [
            Cover(transfers(dut.bytes) & of_stream & intact & (given == watched_offset) & (given == 2), "a third byte"),
            Cover(transfers(dut.bytes) & dut.bytes.payload.last & (length == 5), "a whole payload"),
            Cover(inside["skid.full"] & inside["fetcher.valid1"], "all places are taken in a stall"),
            Cover(Cat(dut.start, streaming, given == 2).all(), "a start while bytes are left"),
        ]
        return m


PROOFS = [
    Proof(
        name=f"slots/payload-{slots}",
        claim=f"of {slots} slots each gives back exactly the payload that was written, whatever stalls",
        spec=lambda slots=slots: PayloadComesWhole(slots),
        depth=3,
        cover_depth=16,
    )
    for slots in (1, 4)
]
