"""From bytes to frames: COBS, lengths, CRC, watchdog."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from presparse.contract.operations import MAX_PAYLOAD
from presparse.contract.wire import CRC_BYTES, REQUEST_HEADER
from presparse_hw.link.cobs import CobsDecoder
from presparse_hw.link.ports import FrameLayout
from presparse_hw.link.sizes import OFFSET_BITS


class Deframer(wiring.Component):
    """Takes a byte per cycle, always; every frame leaves it ready for the next, whatever was wrong.

    A payload is written to its slot while it arrives, before anyone knows whether the frame is good: a
    bad frame's bytes are overwritten by the next. When no slot is free after its header, nothing is
    written, and the frame is reported as not stored.

    Parameters
    ----------
    watchdog_cycles : a frame is abandoned when no byte of it comes for as many cycles

    Members
    -------
    i : In(stream)     bytes from the link; `ready` is always 1
    full : In(1)       no slot is free for the next request; read 4 cycles after the delimiter before it, or later
    write : Out        to the next request's slot
    frame, arrived : Out   a good frame, `arrived` 3 cycles after its delimiter; `frame` stays for 2 cycles more
    corrupt, malformed, abandoned : Out(1)   one cycle per frame dropped
    """

    i: stream.Interface
    full: Signal
    write: wiring.PureInterface
    frame: Signal
    arrived: Signal
    corrupt: Signal
    malformed: Signal
    abandoned: Signal

    def __init__(self, *, watchdog_cycles: int) -> None:
        if watchdog_cycles < 1:
            raise ValueError(f"watchdog_cycles must be at least 1, and is {watchdog_cycles}")
        self._watchdog_cycles = watchdog_cycles
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "full": In(1),
                "write": In(memory.WritePort.Signature(addr_width=OFFSET_BITS, shape=8)),
                "frame": Out(FrameLayout()),
                "arrived": Out(1),
                "corrupt": Out(1),
                "malformed": Out(1),
                "abandoned": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=8).create()
        m.d.comb += [
            decoder.i.payload.eq(self.i.payload),
            decoder.i.valid.eq(self.i.valid),
            self.i.ready.eq(1),
            crc.data.eq(decoder.data),
            crc.valid.eq(decoder.valid),
            crc.start.eq(decoder.end | self.abandoned),
        ]
        self._watch(m, decoder)

        # Byte `position` of the payload; the header comes at -2 and -1, the CRC behind the payload.
        longest = MAX_PAYLOAD + CRC_BYTES
        position = Signal(signed(OFFSET_BITS + 2), init=-REQUEST_HEADER)
        overlong = Signal()
        header = Signal(data.StructLayout({"sequence": 8, "operation": 8}))
        operation_came = Signal()
        stored = Signal()
        write = Signal()
        m.d.sync += [
            self.write.addr.eq(position[:OFFSET_BITS]),
            self.write.data.eq(decoder.data),
            write.eq(decoder.valid & (position >= 0) & (position < MAX_PAYLOAD)),
            operation_came.eq(decoder.valid & (position == -1)),
        ]
        m.d.comb += self.write.en.eq(write & stored)
        with m.If(operation_came):
            # Not sooner: the frame before may have been accepted in this very cycle.
            m.d.sync += stored.eq(~self.full)
        with m.If(decoder.valid):
            with m.If(position < 0):
                m.d.sync += [header.sequence.eq(header.operation), header.operation.eq(decoder.data)]
            with m.If(position == longest):
                m.d.sync += overlong.eq(1)
            with m.Else():
                m.d.sync += position.eq(position + 1)
        with m.If(decoder.end | self.abandoned):
            m.d.sync += [position.eq(-REQUEST_HEADER), overlong.eq(0)]

        ended = Signal()
        malformed = Signal()
        matches = Signal()
        good = ended & ~malformed & matches
        length = Signal.like(self.frame.length)  # in the cycle of `ended`
        m.d.sync += [
            ended.eq(decoder.end),
            malformed.eq(decoder.broken | overlong | (position < CRC_BYTES)),
            matches.eq(crc.match_detected),
            length.eq(position - CRC_BYTES),
            self.malformed.eq(ended & malformed),
            self.corrupt.eq(ended & ~malformed & ~matches),
            self.arrived.eq(good),
        ]
        # A bad frame may end two cycles after a good one, whose header must stay.
        with m.If(good):
            m.d.sync += [
                self.frame.sequence.eq(header.sequence),
                self.frame.operation.eq(header.operation),
                self.frame.length.eq(length),
                self.frame.stored.eq(stored),
            ]
        return m

    def _watch(self, m: Module, decoder: CobsDecoder) -> None:
        idle = Signal(range(-self._watchdog_cycles, 1), init=-self._watchdog_cycles)  # counts up to 0
        m.d.comb += decoder.abandon.eq(~idle[-1] & ~self.i.valid)
        m.d.sync += [self.abandoned.eq(decoder.abandon), idle.eq(idle + 1)]
        with m.If(self.i.valid | ~decoder.inside | decoder.abandon):
            m.d.sync += idle.eq(-self._watchdog_cycles)
