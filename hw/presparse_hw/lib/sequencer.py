"""Counters that walk a block: its cycles and steps, and when it starts."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.network import Junction


def count_modulo(m: Module, counter: Signal, modulus: int) -> None:
    """Advance `counter` by one, from modulus - 1 to 0 (to be used inside a condition)."""
    m.d.sync += counter.eq(counter + 1)
    if modulus != 1 << len(counter):
        with m.If(counter == modulus - 1):
            m.d.sync += counter.eq(0)


class Sequencer(wiring.Component):
    """Counts the issue cycles ("turns") of one block of a junction: C cycles in steps of q.

    Members
    -------
    start : In(1)   the block's first cycle is the next one; allowed in the last cycle of a block
    active : Out(1) this is a cycle of a block
    cycle : Out     0 .. C - 1
    step : Out      cycle // q: the group of right neurons
    first, last : Out(1)  first and last cycle of a step (while active)
    """

    start: Signal
    active: Signal
    cycle: Signal
    step: Signal
    first: Signal
    last: Signal

    def __init__(self, junction: Junction) -> None:
        self._junction = junction
        super().__init__(
            {
                "start": In(1),
                "active": Out(1),
                "cycle": Out(range(junction.cycles)),
                "step": Out(range(junction.steps)),
                "first": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        j = self._junction
        m = Module()
        phase = Signal(range(j.cycles_per_step))
        m.d.comb += [
            self.first.eq(self.active & (phase == 0)),
            self.last.eq(self.active & (phase == j.cycles_per_step - 1)),
        ]
        with m.If(self.start):
            m.d.sync += [self.active.eq(1), self.cycle.eq(0), self.step.eq(0), phase.eq(0)]
        with m.Elif(self.active):
            m.d.sync += [self.cycle.eq(self.cycle + 1), phase.eq(phase + 1)]
            with m.If(self.last):
                m.d.sync += [phase.eq(0), self.step.eq(self.step + 1)]
            with m.If(self.cycle == j.cycles - 1):
                m.d.sync += self.active.eq(0)
        return m


class Launch(wiring.Component):
    """Passes a block's start on, a fixed number of cycles later.

    Members
    -------
    block : In(1)  a block starts; at least `cycles` + 1 cycles after the one before
    start : Out(1) `block`, `cycles` cycles ago
    """

    block: Signal
    start: Signal

    def __init__(self, cycles: int) -> None:
        self._cycles = cycles
        super().__init__({"block": In(1), "start": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._cycles == 0:
            m.d.comb += self.start.eq(self.block)
            return m
        left = Signal(range(self._cycles))  # cycles before the last one, whose register is `start` itself
        m.d.sync += self.start.eq(self.block if self._cycles == 1 else left == 1)
        with m.If(self.block):
            m.d.sync += left.eq(self._cycles - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m
