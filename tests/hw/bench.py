"""Runs a testbench against a component in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.sim import Simulator, SimulatorContext

Testbench = Callable[[SimulatorContext], Awaitable[None]]


def simulate(dut: wiring.Component, testbench: Testbench, *background: Testbench) -> None:
    """Run `testbench` to its end; `background` processes run beside it."""
    m = Module()
    m.domains.sync = ClockDomain()  # also for components without a register
    m.submodules.dut = dut
    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    for other in background:
        simulator.add_testbench(other, background=True)
    simulator.run()
