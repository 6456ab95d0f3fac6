"""Delays: registers that keep pipelines in step, near or far."""

from __future__ import annotations

from typing import TypeVar

from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal, Value
from amaranth.lib import data

from presparse.contract.schedule import SPREAD

LOCAL = "presparse_local"
"""Attribute of fan-out registers: they stand beside what they drive, although others hold the same."""

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


def spread(m: Module, value: Delayed, *, name: str) -> Delayed:
    """Fan-out registers: `value`, SPREAD cycles later, in registers of its own for the part of the chip that asks.

    Synthesis merges equal registers unless it is told not to: those with the attribute `LOCAL` it must keep. None is
    reset: that would be a wire all over the chip. They forget when nothing new comes to them.
    """
    near = delay(m, value, SPREAD - 1, name=f"{name}_far")
    local = Signal(value.shape(), name=name, reset_less=True, attrs={LOCAL: 1})
    m.d.sync += local.eq(near)
    return local


def later(m: Module, value: Delayed, moves: int, move: Value, *, name: str, reset: bool = False) -> Delayed:
    """`value` as it was `moves` cycles with `move` ago. `reset`: starts as 0 (control), else undefined (data)."""
    for number in range(moves):
        held = Signal(value.shape(), name=f"{name}_{number + 1}", reset_less=not reset)
        with m.If(move):
            m.d.sync += held.eq(value)
        value = held
    return value


def restarted(m: Module, part: Elaboratable, restart: Value, *, name: str) -> Elaboratable:
    """`part`, reset while `restart` was on a cycle ago, and in the first cycle.

    The register in between is the part's own: all others are fed by the same wire, so it stands where the part does,
    and no gate of the part waits for a wire over the chip.
    """
    near = Signal(name=f"{name}_restart", init=1, attrs={LOCAL: 1})
    m.d.sync += near.eq(restart)
    return ResetInserter(near)(part)
