"""Blocks start one period apart at the closest, for samples and flushes only."""

from __future__ import annotations

import itertools

from amaranth.sim import SimulatorContext

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.wire import SampleKind
from presparse_hw.controller import Controller
from tests.hw.bench import simulate

NETWORK = Network(
    features=8, classes=4, layers=(8, 8, 4), out_degree=(4, 2), lanes=(2, 2), activations=("relu", "sigmoid")
)
BUILD = Build(network=NETWORK)


def test_samples_start_blocks_one_period_apart_and_a_flush_drains() -> None:
    dut = Controller(BUILD)
    schedule = BUILD.schedule
    starts: list[tuple[int, int]] = []  # (cycle, kind)
    kinds = [SampleKind.TRAIN, SampleKind.PREDICT, SampleKind.FLUSH, SampleKind.EVALUATE]

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.result_room, 1)
        waiting = list(kinds)
        drained_at = None
        for cycle in range(schedule.period * (schedule.depth + 6)):
            ctx.set(dut.pending, bool(waiting))
            ctx.set(dut.item, {"kind": waiting[0] if waiting else 0, "shift": 0, "label": 0})
            if ctx.get(dut.block):
                starts.append((cycle, ctx.get(dut.items[0].kind)))
            if ctx.get(dut.take):
                waiting.pop(0)
            if not waiting and drained_at is None and ctx.get(dut.drained):
                drained_at = cycle
            await ctx.tick()
        assert drained_at is None  # nobody flushed after the last sample: it stays in flight

    simulate(dut, testbench)
    cycles = [cycle for cycle, _ in starts]
    assert [kind for _, kind in starts] == [*kinds[:2], *[0] * schedule.depth, kinds[3]]
    assert [b - a for a, b in itertools.pairwise(cycles)] == [schedule.period] * (len(cycles) - 1)


def test_a_prediction_without_room_waits_and_is_counted() -> None:
    dut = Controller(BUILD)

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.pending, 1)
        ctx.set(dut.item, {"kind": SampleKind.PREDICT, "shift": 0, "label": 0})
        for _ in range(5):
            assert ctx.get(dut.waiting_for_room)
            assert not ctx.get(dut.take)
            await ctx.tick()
        ctx.set(dut.result_room, 1)
        assert ctx.get(dut.take)
        assert not ctx.get(dut.waiting_for_room)

    simulate(dut, testbench)


def test_hold_delays_blocks() -> None:
    dut = Controller(BUILD)

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.pending, 1)
        ctx.set(dut.result_room, 1)
        ctx.set(dut.hold, 1)
        ctx.set(dut.item, {"kind": SampleKind.TRAIN, "shift": 0, "label": 0})
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.take)
        ctx.set(dut.hold, 0)
        assert ctx.get(dut.take)

    simulate(dut, testbench)
