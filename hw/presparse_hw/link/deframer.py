"""From bytes to frames: COBS, lengths, CRC, watchdog."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from presparse.contract.wire import CRC_BYTES, MAX_PAYLOAD, REQUEST_HEADER
from presparse_hw.link.cobs import CobsDecoder
from presparse_hw.link.interfaces import OFFSET_BITS, SLOT_BITS, FrameLayout


class Deframer(wiring.Component):
    """Takes a byte per cycle, always; every frame leaves it ready for the next, whatever was wrong.

    A payload is written to its slot while it arrives, before anyone knows whether the frame is good: a
    bad frame's bytes are overwritten by the next. When no slot is free at its start, nothing is
    written, and the frame is reported as not stored.

    Parameters
    ----------
    watchdog_cycles : a frame is abandoned when no byte of it comes for as many cycles

    Members
    -------
    i : In(stream)     bytes from the link; `ready` is always 1
    slot, full : In    where the next request is stored; no slot is free
    write : Out        write port of the request memory
    frame, arrived : Out   a good frame, `arrived` 2 cycles after its delimiter; `frame` stays for another cycle
    corrupt, malformed, abandoned : Out(1)   one cycle per frame dropped
    """

    i: stream.Interface
    slot: Signal
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
                "slot": In(SLOT_BITS),
                "full": In(1),
                "write": In(memory.WritePort.Signature(addr_width=SLOT_BITS + OFFSET_BITS, shape=8)),
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
        m.d.comb += [
            self.write.addr.eq(Cat(position[:OFFSET_BITS], self.slot)),
            self.write.data.eq(decoder.data),
            self.write.en.eq(decoder.valid & self.frame.stored & (position >= 0) & (position < MAX_PAYLOAD)),
        ]
        with m.If(decoder.valid):
            with m.If(position == -REQUEST_HEADER):
                m.d.sync += self.frame.sequence.eq(decoder.data)
            with m.If(position == -1):
                # Not sooner: the frame before may have been accepted only two cycles ago.
                m.d.sync += [self.frame.operation.eq(decoder.data), self.frame.stored.eq(~self.full)]
            with m.If(position == longest):
                m.d.sync += overlong.eq(1)
            with m.Else():
                m.d.sync += position.eq(position + 1)

        malformed = decoder.broken | overlong | (position < CRC_BYTES)
        m.d.sync += [
            self.malformed.eq(decoder.end & malformed),
            self.corrupt.eq(decoder.end & ~malformed & ~crc.match_detected),
            self.arrived.eq(decoder.end & ~malformed & crc.match_detected),
        ]
        with m.If(decoder.end):
            m.d.sync += self.frame.length.eq(position - CRC_BYTES)
        with m.If(decoder.end | self.abandoned):
            m.d.sync += [position.eq(-REQUEST_HEADER), overlong.eq(0)]
        return m

    def _watch(self, m: Module, decoder: CobsDecoder) -> None:
        idle = Signal(range(self._watchdog_cycles + 1))
        m.d.comb += decoder.abandon.eq((idle == self._watchdog_cycles) & ~self.i.valid)
        m.d.sync += self.abandoned.eq(decoder.abandon)
        with m.If(self.i.valid | ~decoder.inside | decoder.abandon):
            m.d.sync += idle.eq(0)
        with m.Else():
            m.d.sync += idle.eq(idle + 1)
