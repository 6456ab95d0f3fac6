"""The loader writes every feature in order, whatever the port's width, and forgets only half samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.wire import SampleKind
from presparse_hw.core.loader import SampleLoader
from tests.hw.bench import simulate

NETWORK = Network(features=12, classes=4, layers=(12, 4), out_degree=(2,), lanes=(6,), activations=("sigmoid",))


def transfers(features: list[int], port: int, **header: int) -> list[dict[str, object]]:
    return [{"features": features[i : i + port], **header} for i in range(0, len(features), port)]


@pytest.mark.parametrize("port", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_features_are_written_in_order(port: int, stall: float) -> None:
    rng = np.random.default_rng(port)
    samples = [[int(v) for v in rng.integers(-512, 512, size=12)] for _ in range(6)]
    sent = [t for i, s in enumerate(samples) for t in transfers(s, port, kind=SampleKind.TRAIN, rate=3, label=i % 4)]
    dut = SampleLoader(Build(network=NETWORK, feature_port=port))
    written: list[int] = []
    taken: list[tuple[int, int, int]] = []

    async def testbench(ctx: SimulatorContext) -> None:
        queue = list(sent)
        while len(taken) < len(samples):
            offer = bool(queue) and rng.random() >= stall
            ctx.set(dut.samples.valid, offer)
            if queue:
                ctx.set(dut.samples.payload, queue[0])
            take = rng.random() >= stall
            ctx.set(dut.items.ready, take)
            if ctx.get(dut.left.write):
                written.extend(ctx.get(value) for value in dut.left.values)
            assert len(written) >= 12 * len(taken)  # the whole sample is written a cycle after it is taken
            if take and ctx.get(dut.items.valid):
                item = ctx.get(dut.items.payload)
                taken.append((item.kind, item.shift, item.label))
            if offer and ctx.get(dut.samples.ready):
                queue.pop(0)
            await ctx.tick()

        written.extend(ctx.get(value) for value in dut.left.values)

    simulate(dut, testbench)
    assert written == [v for s in samples for v in s]
    assert taken == [(SampleKind.TRAIN, NETWORK.rates.most - 3, i % 4) for i in range(len(samples))]


def test_a_sample_is_loaded_in_as_many_cycles_as_banks_have_rows() -> None:
    """With the widest port no cycle is lost between samples."""
    dut = SampleLoader(Build(network=NETWORK, feature_port=12))
    taken: list[int] = []

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.samples.valid, 1)
        ctx.set(dut.samples.payload, {"features": [1] * 12, "kind": SampleKind.PREDICT, "rate": 0, "label": 0})
        ctx.set(dut.items.ready, 1)
        for cycle in range(40):
            if ctx.get(dut.items.valid):
                taken.append(cycle)
            await ctx.tick()

    simulate(dut, testbench)
    assert {b - a for a, b in itertools.pairwise(taken)} == {12 // 6}


def test_discard_keeps_a_whole_sample_that_waits() -> None:
    dut = SampleLoader(Build(network=NETWORK, feature_port=3))

    async def testbench(ctx: SimulatorContext) -> None:
        parts = transfers([7] * 12, 3, kind=SampleKind.TRAIN, rate=2, label=1)
        ctx.set(dut.items.ready, 1)
        for part in parts[:-1]:
            await _send(ctx, dut, part)
        await ctx.tick()
        ctx.set(dut.items.ready, 0)
        await _send(ctx, dut, parts[-1])
        assert ctx.get(dut.items.valid)
        ctx.set(dut.discard, 1)
        assert not ctx.get(dut.left_restart)
        assert not ctx.get(dut.samples.ready)
        await ctx.tick()
        ctx.set(dut.discard, 0)
        assert ctx.get(dut.items.valid)
        assert not ctx.get(dut.idle)
        ctx.set(dut.items.ready, 1)
        await ctx.tick()
        assert not ctx.get(dut.items.valid)
        assert ctx.get(dut.left.write)
        await ctx.tick()
        assert ctx.get(dut.idle)

    simulate(dut, testbench)


def test_a_whole_sample_goes_in_the_cycle_of_discard() -> None:
    dut = SampleLoader(Build(network=NETWORK, feature_port=12))

    async def testbench(ctx: SimulatorContext) -> None:
        (part,) = transfers([7] * 12, 12, kind=SampleKind.TRAIN, rate=2, label=1)
        ctx.set(dut.items.ready, 1)
        await _send(ctx, dut, part)
        await ctx.tick()
        assert ctx.get(dut.items.valid)
        ctx.set(dut.discard, 1)
        await ctx.tick()
        ctx.set(dut.discard, 0)
        assert not ctx.get(dut.items.valid)
        await ctx.tick()
        assert ctx.get(dut.idle)

    simulate(dut, testbench)


def test_discard_forgets_what_was_already_written() -> None:
    """The next sample begins with its own first transfer, however many of the forgotten one are in the banks."""
    dut = SampleLoader(Build(network=NETWORK, feature_port=3))
    forgotten, features = [8] * 12, [9] * 12

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.items.ready, 1)
        for sent in range(1, 4):
            for transfer in transfers(forgotten, 3, kind=SampleKind.TRAIN, rate=2, label=1)[:sent]:
                await _send(ctx, dut, transfer)
            await ctx.tick().repeat(3)
            ctx.set(dut.discard, 1)
            assert ctx.get(dut.left_restart)
            await ctx.tick()
            ctx.set(dut.discard, 0)
            assert ctx.get(dut.idle)
            parts = transfers(features, 3, kind=SampleKind.EVALUATE, rate=2, label=sent)
            for part in parts[:-1]:
                await _send(ctx, dut, part)
                assert not ctx.get(dut.items.valid)
            await ctx.tick().repeat(3)
            await _send(ctx, dut, parts[-1])
            assert ctx.get(dut.items.valid)
            item = ctx.get(dut.items.payload)
            assert (item.kind, item.label) == (SampleKind.EVALUATE, sent)
            await ctx.tick().repeat(2)

    simulate(dut, testbench)


async def _send(ctx: SimulatorContext, dut: SampleLoader, transfer: dict[str, object]) -> None:
    ctx.set(dut.samples.valid, 1)
    ctx.set(dut.samples.payload, transfer)
    await ctx.tick().until(dut.samples.ready)
    ctx.set(dut.samples.valid, 0)
