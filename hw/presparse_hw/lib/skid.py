"""A stage between two streams whose `ready` comes from a register."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse_hw.lib.delays import LOCAL


class Skid(wiring.Component):
    """Passes one transfer per cycle on, latency 1; what comes while `o` stalls is held in a second place.

    Parameters
    ----------
    copies : of `i.ready`, registers of their own for parts that are far from one another

    Members
    -------
    i : In(stream), o : Out(stream)
    free : Out(copies)
    """

    i: stream.Interface
    o: stream.Interface
    free: Signal

    def __init__(self, shape: ShapeLike, *, copies: int = 0) -> None:
        self._shape = shape
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "free": Out(copies, init=(1 << copies) - 1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Data is never reset: a reset that reaches this far in a cycle reaches only the few bits that need it.
        head = Signal(self._shape, reset_less=True)
        spare = Signal(self._shape, reset_less=True)
        full = Signal()  # the second place is taken
        fills = Signal()
        moves = ~self.o.valid | self.o.ready
        m.d.comb += [
            self.i.ready.eq(~full),
            self.o.payload.eq(head),
            fills.eq(~moves & (full | self.i.valid)),
        ]
        m.d.sync += full.eq(fills)
        with m.If(moves):
            m.d.sync += self.o.valid.eq(full | self.i.valid)
            with m.If(full):
                m.d.sync += head.eq(spare)
            with m.Else():
                m.d.sync += head.eq(self.i.payload)
        with m.If(~full):
            m.d.sync += spare.eq(self.i.payload)
        for number, copy in enumerate(self.free):
            near = Signal(name=f"free{number}", init=1, attrs={LOCAL: 1})
            m.d.sync += near.eq(~fills)
            m.d.comb += copy.eq(near)
        return m
