"""The numbers of stored samples come in the contract's order, each once, however they are taken."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.permutation import ROUNDS, permutation
from presparse_hw.store.sample_order import IndexSequence
from tests.hw.bench import simulate

SAMPLES = 100


def taken(run: dict[str, int], *, stall: float = 0.0, cycles: int = 600) -> list[tuple[int, int, int]]:
    """(cycle, number, last) of all that come."""
    dut = IndexSequence(SAMPLES)
    rng = np.random.default_rng(run["seed"] % 1000)
    found: list[tuple[int, int, int]] = []

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.run, run)
        held = None
        for cycle in range(cycles):
            ready = rng.random() >= stall
            ctx.set(dut.indices.ready, ready)
            offered = (ctx.get(dut.indices.payload.index), ctx.get(dut.indices.payload.last))
            if ctx.get(dut.indices.valid):
                assert held in (None, offered)
                held = None if ready else offered
                if ready:
                    found.append((cycle, *offered))
            else:
                assert held is None
            await ctx.tick()

    simulate(dut, testbench)
    return found


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize(
    ("first", "count"), [(0, 100), (0, 1), (99, 1), (3, 2), (17, 64), (17, 65), (50, 31), (36, 33)]
)
@pytest.mark.parametrize("seed", [None, 0, 0xDEADBEEF])
def test_order(first: int, count: int, seed: int | None, stall: float) -> None:
    order = np.arange(count) if seed is None else permutation(count, seed)
    run = {"first": first, "count": count, "seed": seed or 0, "permuted": int(seed is not None)}
    found = taken(run, stall=stall)
    assert [index for _, index, _ in found] == (first + order).tolist()
    assert [last for _, _, last in found] == [0] * (count - 1) + [1]


def test_numbers_in_order_come_every_cycle() -> None:
    cycles = [cycle for cycle, _, _ in taken({"first": 5, "count": 90, "seed": 0, "permuted": 0})]
    assert cycles == list(range(5, 95))


def test_permuted_numbers_come_as_the_candidates_do() -> None:
    """65 of 128: nearly every second candidate is left out, the worst there is."""
    cycles = [cycle for cycle, _, _ in taken({"first": 0, "count": 65, "seed": 77, "permuted": 1})]
    assert cycles[-1] < 5 + len(ROUNDS) + 128
    assert max(np.diff(cycles)) < 16
