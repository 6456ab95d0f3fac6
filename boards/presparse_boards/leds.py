"""What the LEDs of a board show."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Heartbeat(wiring.Component):
    """Blinks for ever, as long as there is a clock and no reset.

    Parameters
    ----------
    half_period : cycles that it is on, and off

    Members
    -------
    o : Out(1)
    """

    o: Signal

    def __init__(self, half_period: int) -> None:
        self._half_period = half_period
        super().__init__({"o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(range(self._half_period))
        # Known a cycle ahead: in small FPGAs, comparing and counting in one cycle would be the slowest path of all.
        zero = Signal(init=1)
        m.d.sync += zero.eq((count == 1) | (self._half_period == 1))
        with m.If(zero):
            m.d.sync += [count.eq(self._half_period - 1), self.o.eq(~self.o)]
        with m.Else():
            m.d.sync += count.eq(count - 1)
        return m


class Afterglow(wiring.Component):
    """Makes a short event last long enough to be seen.

    Parameters
    ----------
    cycles : that the output stays on after the input was last on

    Members
    -------
    i : In(1)
    o : Out(1)   on from the cycle after `i`
    """

    i: Signal
    o: Signal

    def __init__(self, cycles: int) -> None:
        self._cycles = cycles
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(range(self._cycles + 1))  # `o` is its being more than 0, known a cycle ahead as above
        m.d.sync += [left.eq(Mux(self.i, self._cycles, left - self.o)), self.o.eq(self.i | (left > 1))]
        return m
