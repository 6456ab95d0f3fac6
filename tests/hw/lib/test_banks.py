"""A memory of several banks: what was written comes back, `BANK_LATENCY` moves later."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse_hw.lib import banks as banks_module
from presparse_hw.lib.banks import BANK_LATENCY, Banks
from tests.hw.bench import simulate


@pytest.mark.parametrize("depth", [1, 4, 7, 16, 21])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_words_come_back(depth: int, stall: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Banks of 4 words; two fields that are written each by itself."""
    monkeypatch.setattr(banks_module, "BANK_BITS", 2)
    dut = Banks((3, 5), depth)
    rng = np.random.default_rng(depth)
    words = [0] * depth

    async def testbench(ctx: SimulatorContext) -> None:
        for _ in range(4 * depth):
            address, data, fields = int(rng.integers(depth)), int(rng.integers(256)), int(rng.integers(1, 4))
            mask = (7 if fields & 1 else 0) | (0xF8 if fields & 2 else 0)
            words[address] = words[address] & ~mask | data & mask
            ctx.set(dut.write_address, address)
            ctx.set(dut.write_data, data)
            ctx.set(dut.write, fields)
            await ctx.tick()
        ctx.set(dut.write, 0)
        expected: list[int] = []
        for _ in range(100):
            address, move = int(rng.integers(depth)), rng.random() >= stall
            ctx.set(dut.address, address)
            ctx.set(dut.move, move)
            if len(expected) >= BANK_LATENCY:
                assert ctx.get(dut.data) == expected[-BANK_LATENCY]
            if move:
                expected.append(words[address])
            await ctx.tick()

    simulate(dut, testbench)
