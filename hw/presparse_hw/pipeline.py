"""What keeps pipelines in step: delays, and the counters that walk a block."""

from __future__ import annotations

from typing import TypeVar

from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.network import Junction
from presparse.contract.schedule import SPREAD

LOCAL = "presparse_local"
"""Attribute of registers that stand beside what they drive, although others hold the same."""

Delayed = TypeVar("Delayed", Value, data.View)


def ages(m: Module, value: Delayed, cycles: int, *, name: str, reset: bool = False) -> list[Delayed]:
    """`value` as it is now, as it was a cycle ago, and so on to `cycles` cycles ago.

    `reset`: starts as 0 (control), else undefined at first (data).
    """
    current = Signal(value.shape(), name=f"{name}_0")
    m.d.comb += current.eq(value)
    values = [current]
    for i in range(1, cycles + 1):
        values.append(Signal(value.shape(), name=f"{name}_{i}", reset_less=not reset))
        m.d.sync += values[i].eq(values[i - 1])
    return values


def delay(m: Module, value: Delayed, cycles: int, *, name: str, reset: bool = False) -> Delayed:
    """`value` as it was `cycles` cycles ago; `reset` as in `ages`."""
    return ages(m, value, cycles, name=name, reset=reset)[-1]


def spread(m: Module, value: Delayed, *, name: str, reset: bool = False) -> Delayed:
    """`value`, SPREAD cycles later, in registers of its own for the part of the chip that asks.

    Synthesis merges equal registers unless it is told not to: those with the attribute `LOCAL` it must keep. A reset
    comes to them through the others: a gate in between would be all over the chip.
    """
    near = delay(m, value, SPREAD - 1, name=f"{name}_far", reset=reset)
    local = Signal(value.shape(), name=name, reset_less=True, attrs={LOCAL: 1})
    m.d.sync += local.eq(near)
    return local


def restarted(m: Module, part: Elaboratable, restart: Value, *, name: str) -> Elaboratable:
    """`part`, reset while `restart` was on a cycle ago, and in the first cycle.

    The register in between is the part's own: all others are fed by the same wire, so it stands where the part does,
    and no gate of the part waits for a wire over the chip.
    """
    near = Signal(name=f"{name}_restart", init=1, attrs={LOCAL: 1})
    m.d.sync += near.eq(restart)
    return ResetInserter(near)(part)


def count_modulo(m: Module, counter: Signal, modulus: int) -> None:
    """Advance `counter` by one, from modulus - 1 to 0 (to be used inside a condition)."""
    m.d.sync += counter.eq(counter + 1)
    if modulus != 1 << len(counter):
        with m.If(counter == modulus - 1):
            m.d.sync += counter.eq(0)


class Sequencer(wiring.Component):
    """Walks the cycles of one block of a junction: C cycles in steps of q.

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
