"""Counters that make problems visible (`presparse.contract.memory.Counter`)."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.memory import CORE_COUNTERS, Counter
from presparse_hw.signature import CounterLayout


class Counters(wiring.Component):
    """Adds up events.

    Parameters
    ----------
    widths : dict   bits of the number of events per cycle, by counter

    Members
    -------
    NAME : In       events of counter NAME in this cycle, two cycles before they are seen in `counters`
    clear : In(1)
    counters : Out
    """

    clear: Signal
    counters: data.View

    def __init__(self, widths: dict[Counter, int]) -> None:
        super().__init__(
            {
                **{name: In(widths.get(name, 1)) for name in CORE_COUNTERS},
                "clear": In(1),
                "counters": Out(CounterLayout()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in CORE_COUNTERS:
            events = getattr(self, name)
            registered = Signal.like(events, name=f"{name}_events")
            m.d.sync += [registered.eq(events), self.counters[name].eq(self.counters[name] + registered)]
        with m.If(self.clear):
            m.d.sync += self.counters.eq(0)
        return m
