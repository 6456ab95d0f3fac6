"""Blocks start one period apart at the closest, for samples and flushes only."""

from __future__ import annotations

import itertools

from amaranth.sim import SimulatorContext

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.wire import SampleKind
from presparse_hw.core.controller import Controller
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
        for cycle in range(schedule.period * (schedule.depth + 6)):
            ctx.set(dut.arriving.valid, bool(waiting))
            ctx.set(dut.arriving.payload, _item(waiting[0] if waiting else SampleKind.FLUSH))
            if ctx.get(dut.block):
                starts.append((cycle, ctx.get(dut.items[0].kind)))
            if waiting and ctx.get(dut.arriving.ready):
                waiting.pop(0)
            await ctx.tick()
        assert not ctx.get(dut.drained)  # nobody flushed after the last sample: it stays in flight

    simulate(dut, testbench)
    cycles = [cycle for cycle, _ in starts]
    assert [kind for _, kind in starts] == [*kinds[:2], *[0] * schedule.depth, kinds[3]]
    assert [b - a for a, b in itertools.pairwise(cycles)] == [schedule.period] * (len(cycles) - 1)


def test_a_prediction_without_room_waits_and_is_counted() -> None:
    dut = Controller(BUILD)

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.arriving.valid, 1)
        ctx.set(dut.arriving.payload, _item(SampleKind.PREDICT))
        for _ in range(5):
            await ctx.tick()
            assert ctx.get(dut.waiting_for_room)
            ctx.set(dut.arriving.valid, 0)
            assert not ctx.get(dut.reserve)
        ctx.set(dut.result_room, 1)
        await ctx.tick()
        assert not ctx.get(dut.waiting_for_room)
        assert ctx.get(dut.reserve)
        assert not ctx.get(dut.block)
        await ctx.tick()
        assert not ctx.get(dut.reserve)
        assert ctx.get(dut.block)

    simulate(dut, testbench)


def test_a_sample_starts_its_block_two_cycles_after_it_arrives() -> None:
    dut = Controller(BUILD)

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.arriving.valid, 1)
        ctx.set(dut.arriving.payload, _item(SampleKind.TRAIN))
        await ctx.tick()
        ctx.set(dut.arriving.valid, 0)
        assert not ctx.get(dut.block)
        assert ctx.get(dut.arriving.ready)  # it is taken in the cycle in which it is pending
        await ctx.tick()
        assert ctx.get(dut.block)

    simulate(dut, testbench)


def test_hold_delays_blocks() -> None:
    dut = Controller(BUILD)

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.arriving.valid, 1)
        ctx.set(dut.result_room, 1)
        ctx.set(dut.hold, 1)
        ctx.set(dut.arriving.payload, _item(SampleKind.TRAIN))
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.arriving.ready)
        ctx.set(dut.hold, 0)
        await ctx.tick()
        assert ctx.get(dut.arriving.ready)

    simulate(dut, testbench)


def _item(kind: SampleKind) -> dict[str, int]:
    return {"kind": kind, "shift": 0, "label": 0}
