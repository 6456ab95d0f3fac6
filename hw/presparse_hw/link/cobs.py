"""Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): frames without a zero byte inside.

A frame is cut after each zero and after each run of 254 other bytes. Each piece is sent as a code byte,
one more than the number of other bytes in it, and then these bytes; a zero ends the frame.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal, ValueLike, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_hw.lib.skid import Skid
from presparse_hw.link.byte_fetcher import Fetcher
from presparse_hw.link.ports import ByteLayout
from presparse_hw.link.sizes import FRAME_RING

LONGEST_RUN = 254


class CobsDecoder(wiring.Component):
    """Decodes one byte per cycle; the outputs are registered (latency 1).

    Members
    -------
    i : In(stream)     encoded bytes, always taken; `valid` alone counts
    abandon : In(1)    forget the frame that has begun; not together with a byte
    inside : Out(1)    a frame has begun and not ended
    data, valid : Out  a decoded byte
    end : Out(1)       a frame ended, after its last byte. Empty frames (extra zeros) are not reported
    broken : Out(1)    with `end`: the zero came inside a piece
    """

    i: stream.Interface
    abandon: Signal
    inside: Signal
    data: Signal
    valid: Signal
    end: Signal
    broken: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "abandon": In(1),
                "inside": Out(1),
                "data": Out(8),
                "valid": Out(1),
                "end": Out(1),
                "broken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        remaining = Signal(8)  # bytes until the next code
        zero = Signal()  # the piece stands for a zero at its end, unless the frame ends there
        byte = self.i.payload

        m.d.sync += [self.valid.eq(0), self.end.eq(0)]
        with m.If(self.i.valid):
            with m.If(byte == 0):
                m.d.sync += [
                    self.end.eq(self.inside),
                    self.broken.eq(remaining != 0),
                    self.inside.eq(0),
                    remaining.eq(0),
                    zero.eq(0),
                ]
            with m.Elif(remaining == 0):
                m.d.sync += [
                    self.valid.eq(zero),
                    self.data.eq(0),
                    self.inside.eq(1),
                    remaining.eq(byte - 1),
                    zero.eq(byte != LONGEST_RUN + 1),
                ]
            with m.Else():
                m.d.sync += [self.valid.eq(1), self.data.eq(byte), remaining.eq(remaining - 1)]
        with m.If(self.abandon):
            m.d.sync += [self.inside.eq(0), remaining.eq(0), zero.eq(0)]
        return m


class CobsEncoder(wiring.Component):
    """Encodes frames; takes a byte per cycle but for one cycle per full piece and two per frame.

    A piece is sent when it is complete, up to 255 bytes after its first. Pieces are built in a ring of
    block RAM: the code's place is kept free and filled last.

    Members
    -------
    i : In(stream)   bytes of frames, `last` set on each frame's last; a frame has at least one byte
    o : Out(stream)  encoded bytes, each frame ended by a zero
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(ByteLayout())), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # What has to be known of a byte is known when it comes.
        m.submodules.skid = skid = Skid(data.StructLayout({"byte": ByteLayout(), "zero": 1}))
        m.d.comb += [
            skid.i.valid.eq(self.i.valid),
            self.i.ready.eq(skid.i.ready),
            skid.i.payload.byte.eq(self.i.payload),
            skid.i.payload.zero.eq(self.i.payload.data == 0),
        ]
        byte, zero = skid.o.payload.byte, skid.o.payload.zero
        m.submodules.ring = ring = RegisteredMemory([unsigned(8)], FRAME_RING)
        code_at = Signal(range(FRAME_RING))
        tail = Signal(range(FRAME_RING), init=1)  # next byte of the open piece
        code = Signal(8, init=1)  # of the open piece: one more than the bytes in it
        longest = Signal()  # no byte can follow in it
        head = Signal(range(FRAME_RING))  # next byte to send
        written = Signal(range(FRAME_RING))  # all before it may be sent

        distance = Signal(range(FRAME_RING))
        full = Signal()
        # Five bytes may still follow: three before the register shows it, the last piece's code, the delimiter.
        m.d.sync += [distance.eq(head - tail), full.eq(distance <= 5)]

        m.d.sync += [written.eq(code_at), ring.write[0].eq(0)]

        def put(address: Signal, byte: ValueLike) -> None:
            """The ring has it two cycles later, when `written` tells."""
            m.d.sync += [ring.write_address.eq(address), ring.write_data[0].eq(byte), ring.write[0].eq(1)]

        def close() -> None:
            put(code_at, code)
            m.d.sync += [code_at.eq(tail), tail.eq(tail + 1), code.eq(1), longest.eq(0)]

        with m.FSM():
            with m.State("Piece"):
                with m.If(longest):
                    close()
                with m.Else():
                    m.d.comb += skid.o.ready.eq(~full)
                    with m.If(skid.o.valid & ~full):
                        with m.If(zero):
                            close()
                        with m.Else():
                            put(tail, byte.data)
                            m.d.sync += [tail.eq(tail + 1), code.eq(code + 1), longest.eq(code == LONGEST_RUN)]
                        with m.If(byte.last):
                            m.next = "Last-Code"
            with m.State("Last-Code"):
                close()
                m.next = "Delimiter"
            with m.State("Delimiter"):
                # The place kept for the next code takes the zero that ends the frame.
                put(code_at, 0)
                m.d.sync += [code_at.eq(tail), tail.eq(tail + 1)]
                m.next = "Piece"

        m.submodules.fetcher = fetcher = Fetcher(ring)
        m.d.comb += [
            fetcher.addresses.valid.eq(head != written),
            fetcher.addresses.payload.address.eq(head),
            self.o.valid.eq(fetcher.bytes.valid),
            self.o.payload.eq(fetcher.bytes.payload.data),
            fetcher.bytes.ready.eq(self.o.ready),
        ]
        with m.If(fetcher.addresses.valid & fetcher.addresses.ready):
            m.d.sync += head.eq(head + 1)
        return m
