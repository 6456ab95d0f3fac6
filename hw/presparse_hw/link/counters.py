"""Counters that make problems visible (`presparse.contract.address_map.Counter`), of the core and of the link."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import COUNTER_BITS, COUNTERS, Counter
from presparse.contract.schedule import READ
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_hw.link.sizes import COUNTER_SLICE

WORDS = 2 * len(COUNTERS)
"""Words of region 0: two a counter, the low one first."""
SLICES = COUNTER_BITS // COUNTER_SLICE
ROUND = SLICES * len(COUNTERS)
"""Cycles in which every counter is visited once."""
READ_CYCLES = ROUND + SLICES + 1
"""The longest that a low word takes, from the first cycle of `read` to that of `valid`."""
NOWHERE = len(COUNTERS)
"""The number of no counter; sums that a clear overtakes are written there."""


class CounterPort(wiring.Signature):
    """Reads words of region 0, seen from the reader.

    Members
    -------
    word : Out    0 .. WORDS - 1, stable while `read` is high
    read : Out(1)   stays high until `valid`
    valid : In(1)   one cycle: a low word within READ_CYCLES, a high word in the first cycle of `read`
    data : In(32)   with `valid`. A low word counts all events up to one moment, 2 cycles before `read` or later, and
        holds its high word
    """

    def __init__(self) -> None:
        super().__init__({"word": Out(range(WORDS)), "read": Out(1), "valid": In(1), "data": In(32)})


class Counters(wiring.Component):
    """Counts the events of every cycle, and loses none.

    Events are collected in a few bits of register per counter. A single adder goes round the counters, a
    slice of 16 bits per cycle, and adds what was collected since its last visit to the totals in block RAM. A
    slice is addressed (cycle 0), read (2), added (3) and written back (4).

    Parameters
    ----------
    widths : bits of the events per cycle, by counter

    Members
    -------
    events : In     how often each counter's event happened in this cycle
    clear : In(1)   all counters are zero in the next cycle; not while one is read
    port : In       reading
    """

    events: data.View
    clear: Signal
    port: wiring.PureInterface

    def __init__(self, widths: Mapping[Counter, int]) -> None:
        super().__init__(
            {
                "events": In(data.StructLayout({name: widths[name] for name in COUNTERS})),
                "clear": In(1),
                "port": In(CounterPort()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place = Signal(range(SLICES))  # of the slice that is addressed
        index = Signal(range(len(COUNTERS)))  # of its counter
        before = Signal(range(NOWHERE + 1), init=NOWHERE)  # addressed before: its slice of the same place is added
        clearing = Signal(init=1)  # the first round: what block RAM holds is of no account
        m.d.sync += place.eq(place + 1)
        with m.If(place == SLICES - 1):
            m.d.sync += [place.eq(0), index.eq(index + 1), before.eq(index)]
            with m.If(index == len(COUNTERS) - 1):
                m.d.sync += [index.eq(0), clearing.eq(0)]
        with m.If(self.clear):
            m.d.sync += [place.eq(0), index.eq(0), before.eq(NOWHERE), clearing.eq(1)]

        total = self._add(m, place, index, before, self._collect(m, place, index), clearing)
        self._read(m, place, before, total)
        return m

    def _collect(self, m: Module, place: Signal, index: Signal) -> Signal:
        """What was collected for the counter, three cycles after its first slice was addressed, then shifted."""
        taken = []
        for number, name in enumerate(COUNTERS):
            events = self.events[name]
            count = Signal(range(ROUND * ((1 << len(events)) - 1) + 1), name=f"{name}_collected")
            visited = Signal(name=f"{name}_visited")
            m.d.sync += [visited.eq(self.clear | ((place == 1) & (index == number))), count.eq(count + events)]
            with m.If(visited):
                m.d.sync += count.eq(events)
            taken.append(Mux(visited, count, 0))
        collected = Signal(max(len(count) for count in taken))
        m.d.sync += collected.eq(collected >> COUNTER_SLICE)
        with m.If(place == 2):
            m.d.sync += collected.eq(reduce(or_, taken))
        return collected

    def _add(self, m: Module, place: Signal, index: Signal, before: Signal, taken: Signal, clearing: Signal) -> Signal:
        """Add slice by slice; returns the sum, which is written in this cycle."""
        m.submodules.totals = totals = RegisteredMemory([unsigned(COUNTER_SLICE)], SLICES << len(before))
        cleared = Signal(READ)  # as old as what is read
        old = Signal(COUNTER_SLICE)
        total = Signal(COUNTER_SLICE)
        carry = Signal()
        m.d.sync += [
            cleared.eq(Cat(clearing, cleared)),
            old.eq(totals.read_data[0]),
            # The carry comes in by the lowest bit of both summands.
            Cat(Signal(name="half"), total, carry).eq(Cat(Const(1, 1), old) + Cat(carry, taken[:COUNTER_SLICE])),
            totals.write_address.eq(Cat(before, place)),
        ]
        with m.If(cleared[-1]):
            m.d.sync += old.eq(0)
        with m.If(place == 2):  # the last slice is added
            m.d.sync += carry.eq(0)
        m.d.comb += [
            totals.read_address.eq(Cat(index, place)),
            totals.write_data[0].eq(total),
            totals.write[0].eq(1),
        ]
        return total

    def _read(self, m: Module, place: Signal, before: Signal, total: Signal) -> None:
        """Catch the sums of a counter that is read, while they are written."""
        port = self.port
        caught = Signal(COUNTER_BITS)
        catching = Signal()
        done = Signal()
        high = port.word[0]
        with m.If(catching):
            m.d.sync += caught.eq(Cat(caught, total)[COUNTER_SLICE:])
        m.d.sync += done.eq(0)
        with m.If(place == 0):  # in the next cycle the first sum of `before` is there
            m.d.sync += [catching.eq(port.read & ~high & (before == port.word[1:])), done.eq(catching)]
        m.d.comb += port.valid.eq(done | (port.read & high))
        with m.If(high):
            m.d.comb += port.data.eq(caught[32:])
        with m.Else():
            m.d.comb += port.data.eq(caught[:32])
