"""Counters: those of the link, and reading all of them as words of region 0."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.memory import COUNTER_BITS, COUNTERS, LINK_COUNTERS
from presparse_hw.signature import CounterLayout

WORDS = 2 * len(COUNTERS)
"""Words of region 0."""


class LinkCounters(wiring.Component):
    """Counts the frames that the link accepts, repeats and drops.

    Members
    -------
    events : In   one bit per counter of the link, by its name
    clear : In(1)   zero in the next cycle
    counts : Out
    """

    events: data.View
    clear: Signal
    counts: data.View

    def __init__(self) -> None:
        super().__init__(
            {
                "events": In(data.StructLayout(dict.fromkeys(LINK_COUNTERS, 1))),
                "clear": In(1),
                "counts": Out(data.StructLayout(dict.fromkeys(LINK_COUNTERS, COUNTER_BITS))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in LINK_COUNTERS:
            with m.If(self.clear):
                m.d.sync += self.counts[name].eq(0)
            with m.Elif(self.events[name]):
                m.d.sync += self.counts[name].eq(self.counts[name] + 1)
        return m


class CounterReader(wiring.Component):
    """Region 0: two words per counter. Reading the low word holds the high one, so that they agree.

    Members
    -------
    core, link : In    the counters
    word : In          0 .. WORDS - 1
    read : In(1)
    data : Out(32)     the cycle after `read`
    """

    core: data.View
    link: data.View
    word: Signal
    read: Signal
    data: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "core": In(CounterLayout()),
                "link": In(data.StructLayout(dict.fromkeys(LINK_COUNTERS, COUNTER_BITS))),
                "word": In(range(WORDS)),
                "read": In(1),
                "data": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counters = Array((self.link if name in LINK_COUNTERS else self.core)[name] for name in COUNTERS)
        chosen = Signal(COUNTER_BITS)
        held = Signal(COUNTER_BITS - 32)
        m.d.comb += chosen.eq(counters[self.word[1:]])
        with m.If(self.read):
            with m.If(self.word[0]):
                m.d.sync += self.data.eq(held)
            with m.Else():
                m.d.sync += [self.data.eq(chosen), held.eq(chosen[32:])]
        return m
