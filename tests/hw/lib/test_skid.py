"""A stage of registers: every transfer once, in order, one per cycle, and `ready` from a register."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse_hw.lib.skid import Skid
from tests.hw.bench import simulate


@pytest.mark.parametrize(("offer", "take"), [(1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (0.5, 0.5), (0.9, 0.2)])
def test_transfers_pass_in_order(offer: float, take: float) -> None:
    dut = Skid(8, copies=2)
    rng = np.random.default_rng(3)
    passed: list[int] = []

    async def testbench(ctx: SimulatorContext) -> None:
        sent, held, cycle = 0, None, 0
        while len(passed) < 200:
            valid, ready = rng.random() < offer, rng.random() < take
            ctx.set(dut.i.valid, valid)
            ctx.set(dut.i.payload, sent)
            accepts = ctx.get(dut.i.ready)
            ctx.set(dut.o.ready, ready)
            assert ctx.get(dut.i.ready) == accepts  # does not depend on what comes behind in the same cycle
            assert ctx.get(dut.free) == 0b11 * accepts
            if ctx.get(dut.o.valid):
                payload = ctx.get(dut.o.payload)
                assert held in (None, payload)
                held = None if ready else payload
                if ready:
                    passed.append(payload)
            else:
                assert held is None
            sent += bool(valid and accepts)
            cycle += 1
            await ctx.tick()
        if offer == take == 1.0:
            assert cycle == 201

    simulate(dut, testbench)
    assert passed == list(range(200))
