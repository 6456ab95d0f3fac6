"""The delta bank never loses an addition, however close two additions to one address come."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.schedule import READ
from presparse_hw.core.delta_bank import DeltaBank
from tests.hw.bench import simulate


@pytest.mark.parametrize("addresses", [1, 2, 5])
@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_sums_equal_the_model(addresses: int, pause: float) -> None:
    rng = np.random.default_rng(addresses)
    dut = DeltaBank(addresses, 8, 16)
    model = [0] * addresses

    async def testbench(ctx: SimulatorContext) -> None:
        products = [0] * READ  # of the additions of the last cycles, which take them now
        for _ in range(400):
            add, address, first = rng.random() >= pause, int(rng.integers(addresses)), rng.random() < 0.1
            ctx.set(dut.add, add)
            ctx.set(dut.address, address)
            ctx.set(dut.first, first)
            ctx.set(dut.product, products[0])
            products = [*products[1:], int(rng.integers(-128, 128))]
            if add:
                model[address] = products[-1] + (0 if first else model[address])
            await ctx.tick()
        ctx.set(dut.add, 0)
        for product in products:
            ctx.set(dut.product, product)
            await ctx.tick()
        await ctx.tick()
        for address in range(addresses):
            ctx.set(dut.fetch_address, address)
            await ctx.tick().repeat(READ)
            assert ctx.get(dut.sum) == model[address]

    simulate(dut, testbench)


def test_clear_writes_zero() -> None:
    dut = DeltaBank(4, 8, 16)

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.first, 1)
        ctx.set(dut.product, 7)
        for address in range(4):
            ctx.set(dut.add, 1)
            ctx.set(dut.address, address)
            await ctx.tick()
        ctx.set(dut.add, 0)
        await ctx.tick().repeat(READ + 2)
        ctx.set(dut.clear, 1)
        ctx.set(dut.clear_address, 2)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        await ctx.tick()
        for address in range(4):
            ctx.set(dut.fetch_address, address)
            await ctx.tick().repeat(READ)
            assert ctx.get(dut.sum) == (0 if address == 2 else 7)

    simulate(dut, testbench)
