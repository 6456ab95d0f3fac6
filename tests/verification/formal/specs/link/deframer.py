"""From bytes to frames: lengths, CRC, watchdog, and the way to the request memory."""

from __future__ import annotations

from amaranth.hdl import Assert, Cat, Const, Cover, Elaboratable, Module, Mux, Signal, Value

from presparse.contract.operations import MAX_PAYLOAD
from presparse.contract.wire import CRC_BYTES, REQUEST_HEADER
from presparse_hw.lib.delays import ages, delay
from presparse_hw.link.deframer import Deframer
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.specs.link.window import FRAME_DISTANCE
from tests.verification.formal.stimulus import anything, chosen

_SHORTEST, _LONGEST = REQUEST_HEADER + CRC_BYTES, REQUEST_HEADER + MAX_PAYLOAD + CRC_BYTES
_POLYNOMIAL = 0xEDB88320
"""zlib's CRC-32, least significant bit first."""
_RESIDUE = 0xDEBB20E3
"""The CRC's register after a frame whose last four bytes are the CRC of the others (`ResidueTells` proves it)."""


def _crc_step(crc: Value, byte: Value) -> Value:
    """A byte's effect on the register of the CRC, by its definition: bit after bit. A sum of the columns that the bits
    of register and byte stand for."""
    low = crc[:8] ^ byte
    columns = []
    for bit in range(8):
        column = 1 << bit
        for _ in range(8):
            column = column >> 1 ^ (_POLYNOMIAL if column & 1 else 0)
        columns.append(column)
    result: Value = crc[8:]
    for bit, column in enumerate(columns):
        result = result ^ Mux(low[bit], Const(column, 32), 0)
    return result[:32]


class GoodFramesArrive(Elaboratable):
    """Three cycles after its delimiter exactly one of these is told of a frame: it arrived, if it is COBS, 6 to 1030
    bytes long, and the CRC-32 of all but its last four bytes stands in these; corrupt, if only the CRC is wrong;
    malformed otherwise. The header and length are the frame's; payload bytes go to their places, if there was room.

    The CRC is computed here by its definition, bit after bit.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut = Deframer(watchdog_cycles=4)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        came, byte = inside["decoder.valid"], inside["decoder.data"]
        end, broken = inside["decoder.end"], inside["decoder.broken"]
        abandoned = dut.abandoned

        # What the bytes between two ends are: their number (all longer ones alike), the first two, and their CRC.
        count = Signal(range(_LONGEST + 2))
        head = Signal(8 * REQUEST_HEADER)
        crc = Signal(32, init=-1)
        with m.If(came):
            m.d.sync += crc.eq(_crc_step(crc, byte))
            with m.If(count <= _LONGEST):
                m.d.sync += count.eq(count + 1)
            with m.If(count < REQUEST_HEADER):
                m.d.sync += head.word_select(count[:1], 8).eq(byte)
        with m.If(end | abandoned):
            m.d.sync += [count.eq(0), crc.eq(-1)]

        well_formed = ~broken & (count >= _SHORTEST) & (count <= _LONGEST)
        intact = crc == _RESIDUE
        for name, told, due in (
            ("arrived", dut.arrived, end & well_formed & intact),
            ("corrupt", dut.corrupt, end & well_formed & ~intact),
            ("malformed", dut.malformed, end & ~well_formed),
        ):
            m.d.comb += Assert(told == delay(m, due, 2, name=name, reset=True), f"{name}: told wrongly")
        due = delay(m, Cat(head, (count - _SHORTEST)[: len(dut.frame.length)]), 2, name="due")
        told = Cat(dut.frame.sequence, dut.frame.operation, dut.frame.length)
        m.d.comb += [
            Assert(~dut.arrived | (told == due), "another header"),
            Assert(~dut.arrived | (dut.frame.length <= MAX_PAYLOAD), "a payload's length"),
        ]
        kept = delay(m, Value.cast(dut.frame), 1, name="frame")
        came_before = ages(m, dut.arrived, FRAME_DISTANCE, name="arrived_before", reset=True)
        since = Signal(range(8), init=7)  # cycles after the cycle behind a good frame's end
        with m.If(end & well_formed & intact):
            m.d.sync += since.eq(0)
        with m.Elif(since != 7):
            m.d.sync += since.eq(since + 1)
        m.d.comb += [Assert(was == (since == 1 + age)) for age, was in enumerate(came_before)]
        m.d.comb += [
            Assert((since == 7) | (count <= since), "at most one byte comes in a cycle"),
            Assert(
                ~(came_before[1] | came_before[2]) | (Value.cast(dut.frame) == kept), "the header stays for two cycles"
            ),
            Assert(~(dut.arrived & Cat(came_before[1:]).any()), "frames come closer than the window allows"),
        ]

        # Payload bytes. Bytes 2 and on go to 0 and on, a cycle later, if there was room behind the header.
        place = (count - REQUEST_HEADER)[: len(dut.write.addr)]
        is_payload = came & (count >= REQUEST_HEADER) & (count < REQUEST_HEADER + MAX_PAYLOAD)
        room = Signal()
        with m.If(delay(m, came & (count == 1), 1, name="header_came", reset=True)):
            m.d.sync += room.eq(~dut.full)
        m.d.comb += Assert(dut.write.en == (delay(m, is_payload, 1, name="payload", reset=True) & inside["stored"]))
        for name, out, due in (("place", dut.write.addr, place), ("byte", dut.write.data, byte)):
            expected = delay(m, due, 1, name=name)
            m.d.comb += Assert(~dut.write.en | (out == expected), f"a payload byte's {name} is changed")

        # For induction.
        position = inside["position"]
        m.d.comb += [
            Assert(inside["crc.crc_reg"][::-1] == crc, "both CRCs are of the same bytes"),
            Assert(count <= _LONGEST + 1),
            Assert(inside["overlong"] == (count == _LONGEST + 1)),
            Assert(position == Mux(count > _LONGEST, _LONGEST, count) - REQUEST_HEADER),
            Assert(inside["stored"] == room),
        ]
        header = inside["header"]
        m.d.comb += [
            Assert((count < 2) | (header == head)),
            Assert((count != 1) | (header[8:] == head[:8])),
        ]
        m.d.comb += [
            Cover(dut.malformed & ~broken, "a malformed frame"),
            Cover(dut.corrupt, "a corrupt frame"),
            Cover(dut.abandoned, "an abandoned frame"),
            Cover(dut.arrived & (dut.frame.length == 1) & dut.frame.stored, "a frame with a payload"),
            Cover(dut.write.en & (dut.write.addr == 1), "a payload"),
        ]
        return m


class ResidueTells(Elaboratable):
    """Arithmetic that `GoodFramesArrive` rests on: whatever the CRC's register is before the last four bytes, it holds
    the residue after them if and only if they are the CRC, its complement, least significant byte first."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        before, last = chosen(m, 32, name="before"), chosen(m, 8 * CRC_BYTES, name="last")
        state: Value = before
        for number in range(CRC_BYTES):
            after = Signal(32, name=f"after{number}")
            m.d.comb += after.eq(_crc_step(state, last.word_select(number, 8)))
            state = after
        m.d.comb += [
            Assert((state == _RESIDUE) == (last == ~before), "the residue"),
            Cover(state == _RESIDUE, "a CRC that matches"),
            Cover(state != _RESIDUE, "one that does not"),
        ]
        return m


class WatchdogBites(Elaboratable):
    """A frame that has begun is abandoned when no byte of it comes for the watchdog's time, not before, and told once;
    after it, or after a delimiter, the deframer is as at the beginning within three cycles."""

    def __init__(self, cycles: int) -> None:
        self._cycles = cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut = Deframer(watchdog_cycles=self._cycles)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        began, silent = Signal(), Signal(range(self._cycles + 2))
        zero = dut.i.valid & (dut.i.payload == 0)
        bites = began & (silent == self._cycles) & ~dut.i.valid
        with m.If(dut.i.valid):
            m.d.sync += [began.eq(~zero), silent.eq(0)]
        with m.Elif(bites):
            m.d.sync += [began.eq(0), silent.eq(0)]
        with m.Elif(began):
            m.d.sync += silent.eq(silent + 1)
        m.d.comb += [
            Assert(dut.i.ready, "bytes are always taken"),
            Assert(dut.abandoned == delay(m, bites, 1, name="bites", reset=True), "the watchdog's time"),
            Assert(silent <= self._cycles),
            Assert(inside["decoder.inside"] == began),
            Assert(began | (inside["decoder.remaining"] == 0)),
            Assert(~began | (inside["idle"] == silent - self._cycles)),
            Assert(began | (inside["idle"] == -self._cycles)),
        ]
        ends = delay(m, zero | bites, 1, name="ends", reset=True)
        pieces_idle = ~inside["decoder.inside"] & (inside["decoder.remaining"] == 0) & ~inside["decoder.zero"]
        frame_idle = (inside["position"] == -REQUEST_HEADER) & ~inside["overlong"] & inside["crc.crc_reg"].all()
        had_begun = delay(m, began, 1, name="had_begun", reset=True)
        m.d.comb += [
            Assert(began | pieces_idle, "back to idle: pieces"),
            Assert(began | had_begun | frame_idle, "back to idle: position and CRC"),
            Assert(~(inside["decoder.valid"] | inside["decoder.end"] | dut.abandoned) | had_begun),
        ]
        m.d.comb += [
            Cover(dut.abandoned, "an abandoned frame"),
            Cover(began & (silent == self._cycles) & dut.i.valid, "a byte in the last moment"),
            Cover(
                delay(m, dut.abandoned, 4, name="long_ago", reset=True) & ends & zero, "a frame after an abandoned one"
            ),
        ]
        return m


PROOFS = [
    Proof(
        name="deframer/frames",
        claim="exactly the well-formed frames with the right CRC-32 arrive, with their header and payload",
        spec=GoodFramesArrive,
        depth=3,
        cover_depth=16,
        fast=False,
    ),
    Proof(
        name="deframer/residue",
        claim="the CRC-32's residue tells exactly the frames whose last four bytes are the CRC of the rest",
        spec=ResidueTells,
        depth=1,
        cover_depth=2,
    ),
    *(
        Proof(
            name=f"deframer/watchdog-{cycles}",
            claim=f"a frame is abandoned after {cycles} cycles without a byte, never sooner, and the way is clear",
            spec=lambda cycles=cycles: WatchdogBites(cycles),
            depth=3,
            cover_depth=2 * cycles + 12,
        )
        for cycles in (1, 5)
    ),
]
