"""Activations in gateware equal the rules of the contract, written out here once more on plain integers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.formats import Format
from presparse.contract.network import Activation
from presparse.contract.schedule import ACTIVATE
from presparse_hw.core.activation import Activate
from tests.hw.bench import simulate

RIGHT = Format(width=8, frac=6)
SUM_WIDTH, SUM_FRAC = 16, 11


def expected(activation: Activation, total: int) -> tuple[int, int, bool]:
    """(activation, derivative, saturated) of a sum with SUM_FRAC fraction bits, from real-valued definitions."""
    if activation == "sigmoid":
        x = math.floor(total / 2.0 ** (SUM_FRAC - (RIGHT.frac - 2)) + 0.5)  # steps of four output LSBs
        x = max(-(1 << (RIGHT.frac + 1)), min((1 << (RIGHT.frac + 1)) - 1, x)) / 2.0 ** (RIGHT.frac - 2)
        s = 1 / (1 + math.exp(-x))
        return math.floor(s * 64 + 0.5), math.floor(s * (1 - s) * 64 + 0.5), False
    rounded = math.floor(total / 2.0 ** (SUM_FRAC - RIGHT.frac) + 0.5)
    clamped = max(-128, min(127, rounded))
    if activation == "relu":
        return max(0, clamped), int(0 < clamped < 127), rounded > 127
    return clamped, 1, rounded != clamped


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "identity"])
def test_sums_become_activations(activation: Activation) -> None:
    rng = np.random.default_rng(0)
    edges = [-(1 << 15), (1 << 15) - 1, 0, -1, 1, 15, 16, -16, -17, 127 * 32 + 15, 127 * 32 + 16, 127 * 32 - 17]
    sums = edges + [int(v) for v in rng.integers(-(1 << 15), 1 << 15, size=200)]
    dut = Activate(activation, sum_width=SUM_WIDTH, sum_frac=SUM_FRAC, right=RIGHT, derivative=True)

    async def testbench(ctx: SimulatorContext) -> None:
        for cycle in range(len(sums) + ACTIVATE):
            if cycle < len(sums):
                ctx.set(dut.sum, sums[cycle])
            if cycle >= ACTIVATE:
                total = sums[cycle - ACTIVATE]
                got = (ctx.get(dut.activation), ctx.get(dut.derivative), bool(ctx.get(dut.saturated)))
                assert got == expected(activation, total), total
            await ctx.tick()

    simulate(dut, testbench)
