"""What the LEDs of a board show.

They count slow ticks, not cycles: a counter of half a second's cycles has so long a carry chain that it would be
the slowest path of a small FPGA.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

TICK_CYCLES = 256


class SlowTick(wiring.Component):
    """A prescaler: on for one cycle in every `TICK_CYCLES`.

    Members
    -------
    o : Out(1)
    """

    o: Signal

    def __init__(self) -> None:
        super().__init__({"o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(range(TICK_CYCLES))
        m.d.sync += Cat(count, self.o).eq(count + 1)
        return m


class Heartbeat(wiring.Component):
    """Blinks for ever, as long as there is a clock and no reset.

    Parameters
    ----------
    half_period : ticks that it is on, and off; at least 1

    Members
    -------
    tick : In(1)
    o : Out(1)
    """

    tick: Signal
    o: Signal

    def __init__(self, half_period: int) -> None:
        self._half_period = half_period
        super().__init__({"tick": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(range(self._half_period))
        with m.If(self.tick):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 0):
                m.d.sync += [left.eq(self._half_period - 1), self.o.eq(~self.o)]
        return m


class Afterglow(wiring.Component):
    """Pulse stretcher: makes a short event last long enough to be seen.

    Parameters
    ----------
    ticks : of these the last ends what the input's last cycle began

    Members
    -------
    tick : In(1)
    i : In(1)
    o : Out(1)   on from the cycle after `i`
    """

    tick: Signal
    i: Signal
    o: Signal

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        super().__init__({"tick": In(1), "i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(range(self._ticks))  # before the last
        with m.If(self.i):
            m.d.sync += [left.eq(self._ticks - 1), self.o.eq(1)]
        with m.Elif(self.tick):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 0):
                m.d.sync += [left.eq(0), self.o.eq(0)]
        return m
