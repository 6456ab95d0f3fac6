"""A stage between two streams whose `ready` comes from a register."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Skid(wiring.Component):
    """Passes one transfer per cycle on, latency 1; what comes while `o` stalls is held in a second place.

    Members
    -------
    i : In(stream), o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike) -> None:
        self._shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Data is never reset: a reset that reaches this far in a cycle reaches only the few bits that need it.
        head = Signal(self._shape, reset_less=True)
        spare = Signal(self._shape, reset_less=True)
        full = Signal()  # the second place is taken
        m.d.comb += [self.i.ready.eq(~full), self.o.payload.eq(head)]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(full | self.i.valid), full.eq(0)]
            with m.If(full):
                m.d.sync += head.eq(spare)
            with m.Else():
                m.d.sync += head.eq(self.i.payload)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += full.eq(1)
        with m.If(~full):
            m.d.sync += spare.eq(self.i.payload)
        return m
