"""Streams of a design under a simulator: what the outside offers and takes, with pauses at random.

Inputs are written right after a rising edge of the clock, and everything is read right at the next one, before
registers change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject, LogicObject, ValueObjectBase
from cocotb.simtime import get_sim_time
from cocotb.triggers import RisingEdge

PERIOD_PS = 10_000
"""Of the clock, where nothing outside has a time of its own."""


def start(dut: HierarchyObject, component: wiring.Component, period_ps: int = PERIOD_PS) -> RisingEdge:
    """All inputs at 0 and the clock running; the trigger that is its rising edge."""
    for path, member, value in component.signature.flatten(component):
        if member.flow == In and len(Value.cast(value)):  # one without bits is none of the design's
            port(dut, "_".join(map(str, path))).value = 0
    clk = pin(dut, "clk")
    Clock(clk, period_ps, "ps").start(start_high=False)  # no edge before the inputs have their values
    return RisingEdge(clk)


def port(dut: HierarchyObject, name: str) -> ValueObjectBase[Any, Any]:
    """A port of the design."""
    found = dut[name]
    assert isinstance(found, ValueObjectBase)
    return found


def pin(dut: HierarchyObject, name: str) -> LogicObject:
    """A port of one bit."""
    found = dut[name]
    assert isinstance(found, LogicObject)
    return found


def clock_cycle(period_ps: int = PERIOD_PS) -> int:
    """Rising edges until now."""
    return int(get_sim_time("ps")) // period_ps


class Stalls:
    """Whether one side of a stream pauses in a cycle: at random, or never."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.probability = 0.0

    def now(self) -> bool:
        return self.probability > 0 and self._rng.random() < self.probability


class Source:
    """The outside of an input stream. What is offered stays until it is taken."""

    def __init__(self, dut: HierarchyObject, name: str, edge: RisingEdge, stalls: Stalls) -> None:
        self._valid, self._ready = port(dut, f"{name}_valid"), port(dut, f"{name}_ready")
        self._payload = port(dut, f"{name}_payload")
        self._edge, self._stalls = edge, stalls

    async def send(self, payloads: Iterable[int]) -> None:
        """All of them, as fast as they are taken but for the pauses."""
        for payload in payloads:
            while self._stalls.now():
                await self._edge
            self._valid.value = 1
            self._payload.value = payload
            await self._edge
            while not self._ready.value:
                await self._edge
            self._valid.value = 0


class Sink:
    """The outside of an output stream. `taken` holds (clock cycle, payload) of every transfer.

    Raises AssertionError if an offered transfer changes or vanishes before it is taken.
    """

    def __init__(self, dut: HierarchyObject, name: str, edge: RisingEdge, stalls: Stalls) -> None:
        self._name = name
        self._valid, self._ready = port(dut, f"{name}_valid"), port(dut, f"{name}_ready")
        self._payload = port(dut, f"{name}_payload")
        self._edge, self._stalls = edge, stalls
        self.taken: list[tuple[int, int]] = []

    async def run(self) -> None:
        """Take transfers for ever (a task of its own)."""
        offered: int | None = None
        while True:
            ready = not self._stalls.now()
            self._ready.value = ready
            await self._edge
            valid = bool(self._valid.value)
            payload = int(self._payload.value) if valid else None
            if offered is not None and payload != offered:
                raise AssertionError(
                    f"{self._name}: transfer {offered:#x} was offered, and before it was taken it became "
                    f"{'nothing' if payload is None else f'{payload:#x}'} (clock cycle {clock_cycle():,})"
                )
            offered = None if ready else payload
            if ready and payload is not None:
                self.taken.append((clock_cycle(), payload))


async def until(edge: RisingEdge, done: Sequence[object], count: int, patience: int, what: str) -> None:
    """Wait until `done` has `count` elements. Raises AssertionError if none comes for `patience` cycles."""
    waited, seen = 0, len(done)
    while len(done) < count:
        await edge
        waited = waited + 1 if len(done) == seen else 0
        seen = len(done)
        if waited > patience:
            raise AssertionError(f"{what}: {count} were due, and after {seen} none came for {patience:,} cycles")
