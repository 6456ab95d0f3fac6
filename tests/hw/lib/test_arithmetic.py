"""Multiplier and adder tree: exact on every value tried, at the latency that the schedule counts on."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.sim import SimulatorContext

from presparse.contract.schedule import MULTIPLY, tree_levels
from presparse_hw.lib.adder_tree import AdderTree
from presparse_hw.lib.multiplier import Multiplier
from tests.hw.bench import simulate


def test_multiplier_is_exact_after_its_latency() -> None:
    rng = np.random.default_rng(1)
    a = [int(v) for v in rng.integers(-(1 << 11), 1 << 11, size=60)] + [-(1 << 11), -(1 << 11), (1 << 11) - 1]
    b = [int(v) for v in rng.integers(-(1 << 17), 1 << 17, size=60)] + [-(1 << 17), (1 << 17) - 1, -(1 << 17)]
    dut = Multiplier(12, 18)

    async def testbench(ctx: SimulatorContext) -> None:
        for cycle in range(len(a) + MULTIPLY):
            if cycle < len(a):
                ctx.set(dut.a, a[cycle])
                ctx.set(dut.b, b[cycle])
            if cycle >= MULTIPLY:
                assert ctx.get(dut.product) == a[cycle - MULTIPLY] * b[cycle - MULTIPLY]
            await ctx.tick()

    simulate(dut, testbench)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("shape", [signed(5), unsigned(1)])
def test_adder_tree_is_exact_after_its_levels(count: int, shape: signed | unsigned) -> None:
    rng = np.random.default_rng(count)
    low, high = (-(1 << (shape.width - 1)), (1 << (shape.width - 1)) - 1) if shape.signed else (0, 1)
    terms = rng.integers(low, high + 1, size=(30, count))
    terms[3], terms[4] = low, high
    dut = AdderTree(shape, count)
    latency = tree_levels(count)

    async def testbench(ctx: SimulatorContext) -> None:
        for cycle in range(len(terms) + latency):
            if cycle < len(terms):
                for port, value in zip(dut.terms, terms[cycle], strict=True):
                    ctx.set(port, int(value))
            if cycle >= latency:
                assert ctx.get(dut.total) == terms[cycle - latency].sum()
            await ctx.tick()

    simulate(dut, testbench)
