"""Delays that stand still with the pipeline they belong to."""

from __future__ import annotations

from typing import TypeVar

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data

Delayed = TypeVar("Delayed", Value, data.View)


def later(m: Module, value: Delayed, moves: int, move: Value, *, name: str, reset: bool = False) -> Delayed:
    """`value` as it was `moves` cycles with `move` ago. `reset`: starts as 0 (control), else undefined (data)."""
    for number in range(moves):
        held = Signal(value.shape(), name=f"{name}_{number + 1}", reset_less=not reset)
        with m.If(move):
            m.d.sync += held.eq(value)
        value = held
    return value
