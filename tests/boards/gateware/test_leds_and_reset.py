"""Small parts of a board's top: exact numbers of cycles."""

from __future__ import annotations

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Module
from amaranth.sim import Simulator, SimulatorContext

from presparse_boards.gateware.leds import TICK_CYCLES, Afterglow, Heartbeat, SlowTick
from presparse_boards.gateware.reset import ResetHold
from tests.hw.bench import simulate


@pytest.mark.parametrize("half_period", [1, 2, 5])
def test_heartbeat(half_period: int) -> None:
    dut = Heartbeat(half_period)

    async def testbench(ctx: SimulatorContext) -> None:
        seen = []
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.o), "nothing changes without a tick"
        ctx.set(dut.tick, 1)
        for _ in range(6 * half_period):
            await ctx.tick()
            seen.append(ctx.get(dut.o))
        assert seen == ([1] * half_period + [0] * half_period) * 3

    simulate(dut, testbench)


def test_slow_tick() -> None:
    dut = SlowTick()

    async def testbench(ctx: SimulatorContext) -> None:
        seen = []
        for cycle in range(3 * TICK_CYCLES):
            await ctx.tick()
            if ctx.get(dut.o):
                seen.append(cycle)
        assert seen == [TICK_CYCLES - 1, 2 * TICK_CYCLES - 1, 3 * TICK_CYCLES - 1]

    simulate(dut, testbench)


@pytest.mark.parametrize(
    ("ticks", "shown"),
    [(3, [0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]), (1, [0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0])],
)
def test_afterglow(ticks: int, shown: list[int]) -> None:
    """A tick a cycle, then none: it stays on for ever."""
    dut = Afterglow(ticks)

    async def testbench(ctx: SimulatorContext) -> None:
        seen = []
        ctx.set(dut.tick, 1)
        for on in (0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0):
            ctx.set(dut.i, on)
            await ctx.tick()
            seen.append(ctx.get(dut.o))
        assert seen == shown
        ctx.set(dut.tick, 0)
        ctx.set(dut.i, 1)
        await ctx.tick()
        ctx.set(dut.i, 0)
        await ctx.tick().repeat(20)
        assert ctx.get(dut.o)

    simulate(dut, testbench)


@pytest.mark.parametrize("hold", [1, 20])
def test_reset_hold(hold: int) -> None:
    m = Module()
    m.domains.sync = ClockDomain(reset_less=True)
    m.submodules.dut = dut = ResetHold(hold)
    m.d.comb += dut.clk.eq(ClockSignal())

    async def length(ctx: SimulatorContext) -> int:
        """Cycles until the reset ends."""
        for cycles in range(hold + 10):
            if not ctx.get(dut.o_reset):
                return cycles
            await ctx.tick()
        raise AssertionError("the reset never ends")

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.i_reset, 1)
        await ctx.tick().repeat(3 * hold)
        assert ctx.get(dut.o_reset) == 1
        ctx.set(dut.i_reset, 0)
        first = await length(ctx)
        assert hold < first <= hold + 4
        await ctx.tick().repeat(50)
        assert ctx.get(dut.o_reset) == 0
        # A short press counts as a whole one.
        ctx.set(dut.i_reset, 1)
        await ctx.delay(0.3e-8)
        ctx.set(dut.i_reset, 0)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.o_reset) == 1
        assert hold - 3 <= await length(ctx) <= hold + 4

    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()
