"""Reset synchronizer and stretcher: a reset that lasts long enough."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In, Out


class ResetHold(wiring.Component):
    """A reset synchronizer and stretcher: holds a reset for a while after an asynchronous one has ended.

    Parameters
    ----------
    hold : cycles from the end of the asynchronous reset to that of the other, beside a few of synchronisers

    Members
    -------
    clk : In(1)       of the domain that is reset
    i_reset : In(1)   asynchronous: no lock yet, or a pressed button
    o_reset : Out(1)  synchronous to `clk`, on from the start
    """

    clk: Signal
    i_reset: Signal
    o_reset: Signal

    def __init__(self, hold: int) -> None:
        self._hold = hold
        super().__init__({"clk": In(1), "i_reset": In(1), "o_reset": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.start = start = ClockDomain(local=True)
        m.d.comb += start.clk.eq(self.clk)
        m.submodules.synchronizer = ResetSynchronizer(self.i_reset, domain="start")
        left = Signal(range(self._hold + 1), init=self._hold)
        held = Signal(init=1)
        with m.If(left != 0):
            m.d.start += left.eq(left - 1)
        with m.Else():
            m.d.start += held.eq(0)
        # The output is a register of its own, which can stand where the design is: its net reaches all of the link.
        m.d.start += self.o_reset.eq(held)
        return m
