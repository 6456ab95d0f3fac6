"""COBS: what is well formed comes out, what is not is broken, and every zero ends it."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Signal

from presparse_hw.lib.delays import delay
from presparse_hw.link.cobs import CobsDecoder
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import anything

LONGEST_PIECE = 255
"""The largest code, of 254 bytes that stand for themselves."""


class FramesAreDecoded(Elaboratable):
    """The solver builds frames piece by piece, as a sender does: a code, as many bytes other than zero, the next code
    or the zero that ends the frame. It may stop anywhere, end a frame inside a piece, and abandon one.

    Bytes of pieces come out as they are; between two pieces a zero comes out, unless the first was of 254 bytes; `end`
    follows each frame that is not empty, `broken` with those that end inside a piece. Whatever came before, after a
    zero or `abandon` the decoder is as at the beginning.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut = CobsDecoder()
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        m.d.comb += Assume(~(dut.i.valid & dut.abandon))

        begun, left, short = Signal(), Signal(8), Signal()  # left of this piece; it is shorter than the longest
        byte, take = dut.i.payload, dut.i.valid
        begins_piece = take & (byte != 0) & (left == 0)
        within_piece = take & (byte != 0) & (left != 0)
        ends = take & (byte == 0)
        with m.If(begins_piece):
            m.d.sync += [begun.eq(1), left.eq(byte - 1), short.eq(byte != LONGEST_PIECE)]
        with m.If(within_piece):
            m.d.sync += left.eq(left - 1)
        with m.If(ends | dut.abandon):
            m.d.sync += [begun.eq(0), left.eq(0)]

        zero = delay(m, begins_piece & begun & short, 1, name="zero_due", reset=True)
        plain = delay(m, within_piece, 1, name="byte_due", reset=True)
        expected = delay(m, byte, 1, name="expected")
        frame = delay(m, ends & begun, 1, name="end_due", reset=True)
        cut = delay(m, left != 0, 1, name="cut", reset=True)
        m.d.comb += [
            Assert(dut.valid == (zero | plain), "a byte is lost or made up"),
            Assert(~plain | (dut.data == expected), "a byte is changed"),
            Assert(~zero | (dut.data == 0), "a zero between pieces is changed"),
            Assert(dut.end == frame, "a frame is lost or made up"),
            Assert(~dut.end | (dut.broken == cut), "a frame that ends inside a piece is broken, and no other"),
            Assert(dut.inside == begun, "inside tells that a frame has begun"),
            Assert((inside["remaining"] == left) & (begun | (left == 0))),
            Assert(inside["zero"] == (begun & short)),
        ]
        ended_or_abandoned = delay(m, ends | dut.abandon, 1, name="idle_due", reset=True)
        with m.If(ended_or_abandoned):
            m.d.comb += Assert(
                ~dut.inside & (inside["remaining"] == 0) & ~inside["zero"], "it returns to where it began"
            )
        m.d.comb += [
            Cover(dut.end & ~dut.broken, "a good frame"),
            Cover(dut.end & dut.broken, "a broken frame"),
            Cover(zero & dut.valid, "a zero between pieces"),
            Cover(ended_or_abandoned & ~dut.end, "an empty or abandoned frame"),
        ]
        return m


PROOFS = [
    Proof(
        name="cobs/decoder",
        claim="every well-formed frame is decoded, no other passes as one, and a zero always leads back to idle",
        spec=FramesAreDecoded,
        depth=2,
        cover_depth=8,
    ),
]
