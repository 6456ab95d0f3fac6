"""Scores come out as results; the first of the largest real scores is the prediction."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.schedule import STATISTICS
from presparse.contract.wire import SampleKind
from presparse_hw.core.argmax import ArgMax
from presparse_hw.core.results import ResultQueue
from tests.hw.bench import simulate


def build(lanes: int, classes: int) -> Build:
    """12 outputs of 4 edges each: groups of 1 (4 lanes), 3 (12 lanes) or 6 (24 lanes)."""
    return Build(
        network=Network(
            features=24, classes=classes, layers=(24, 12), out_degree=(2,), lanes=(lanes,), activations=("identity",)
        ),
        result_capacity=3,
    )


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [4, 12, 24])
@pytest.mark.parametrize("classes", [1, 5, 10, 12])
def test_argmax_of_real_classes(lanes: int, classes: int) -> None:
    rng = np.random.default_rng(lanes + classes)
    design = build(lanes, classes)
    group = design.junctions[0].group
    scores = rng.integers(-3, 4, size=(60, 12))  # many equal scores
    scores[:, classes:] += 2  # padding outputs that would win
    labels = rng.integers(classes, size=60)
    kinds = rng.choice([SampleKind.TRAIN, SampleKind.EVALUATE, SampleKind.PREDICT, SampleKind.FLUSH], size=60)
    right = sum(
        int(np.argmax(s[:classes])) == label
        for s, label, kind in zip(scores, labels, kinds, strict=True)
        if kind in (SampleKind.TRAIN, SampleKind.EVALUATE)
    )
    dut = ArgMax(design)
    pulses = 0

    async def testbench(ctx: SimulatorContext) -> None:
        nonlocal pulses
        for sample, label, kind in zip(scores, labels, kinds, strict=True):
            for step in range(0, 12, group):
                while rng.random() < 0.2:
                    ctx.set(dut.right.valid, 0)
                    pulses += ctx.get(dut.correct)
                    await ctx.tick()
                ctx.set(dut.right.valid, 1)
                ctx.set(dut.right.item, {"kind": int(kind), "shift": 0, "label": int(label)})
                for port, value in zip(dut.right.values, sample[step : step + group], strict=True):
                    ctx.set(port, int(value))
                pulses += ctx.get(dut.correct)
                await ctx.tick()
        ctx.set(dut.right.valid, 0)
        for _ in range(STATISTICS):
            pulses += ctx.get(dut.correct)
            await ctx.tick()

    simulate(dut, testbench)
    assert pulses == right


def test_results_hold_what_was_reserved() -> None:
    design = build(12, 12)
    dut = ResultQueue(design)
    item = {"kind": SampleKind.PREDICT, "shift": 0, "label": 0}
    read: list[int] = []

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.right.item, item)
        for sample in range(3):
            assert ctx.get(dut.room)
            ctx.set(dut.reserve, 1)
            await ctx.tick()
            assert bool(ctx.get(dut.room)) == (sample < 2)  # known at once: the next may be taken
            ctx.set(dut.reserve, 0)
            for step in range(4):
                ctx.set(dut.right.valid, 1)
                for i, port in enumerate(dut.right.values):
                    ctx.set(port, 100 * sample + 3 * step + i)
                await ctx.tick()
            ctx.set(dut.right.valid, 0)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.room)
        assert ctx.get(dut.waiting) == 3
        ctx.set(dut.results.ready, 1)
        lasts = []
        while len(read) < 36:
            if ctx.get(dut.results.valid):
                read.extend(ctx.get(s) for s in dut.results.payload.scores)
                lasts.append(ctx.get(dut.results.payload.last))
            await ctx.tick()
        assert lasts == [0, 0, 0, 1] * 3
        await ctx.tick()
        assert ctx.get(dut.room)
        assert ctx.get(dut.waiting) == 0

    simulate(dut, testbench)
    assert read == [100 * sample + i for sample in range(3) for i in range(12)]
