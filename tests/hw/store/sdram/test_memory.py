"""The test of a memory: which read phases it finds, what it notices, and what becomes of a memory that fails."""

from __future__ import annotations

import pytest

from presparse.contract.store import StoreState
from presparse_hw.store.sdram.chip import EM638325, IS42S16160, MT48LC16M16A2, Sdram
from presparse_hw.store.sdram.memory import SdramMemory
from presparse_sim.chips.sdram import SdramFaults
from tests.hw.store.sdram.bench import Bench, sample, sdram


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sdram", "late", "stay", "works", "phase"),
    [
        (sdram(MT48LC16M16A2, 120.0), 0, 2, 0b0011, 0),
        (sdram(EM638325, 50.0), 1, 2, 0b0110, 1),
        (sdram(IS42S16160, 100.0, pad_cycles=2), 3, 1, 0b1000, 3),
    ],
    ids=lambda value: value.chip.name if isinstance(value, Sdram) else None,
)
def test_the_read_phases_that_work_are_found(sdram: Sdram, late: int, stay: int, works: int, phase: int) -> None:
    """And the memory can be used then: the first reads and commands have waited."""
    bench = Bench(sdram, tested=True, late=late, stay=stay)
    assert isinstance(bench.dut, SdramMemory)
    dut = bench.dut

    async def test() -> None:
        words = sample(bench.rng, 20)
        await bench.store(256, words)
        assert bench.ctx.get(dut.memory.state) == StoreState.READY
        assert (bench.ctx.get(dut.works), bench.ctx.get(dut.phase)) == (works, phase)
        await bench.read([256])
        assert [word for _, word, _ in await bench.came(20)] == words
        assert bench.model.broken == []

    bench.run(test)


@pytest.mark.slow
@pytest.mark.parametrize(
    "faults",
    [SdramFaults(silent=True), SdramFaults(address_mask=1 << 3), SdramFaults(weak_mask=1 << 4)],
    ids=["no answer", "A3 is stuck", "the first cell is weak"],
)
def test_a_memory_with_a_fault_fails_and_still_answers_everything(faults: SdramFaults) -> None:
    """All that the test notices: test_self_test.py."""
    bench = Bench(sdram(mhz=50.0), tested=True, faults=faults, stall=0.5)
    assert isinstance(bench.dut, SdramMemory)
    dut = bench.dut

    async def test() -> None:
        assert await bench.command(5, 0x12345678, write=True) == 0
        assert bench.ctx.get(dut.memory.state) == StoreState.FAILED
        assert bench.ctx.get(dut.works) == 0
        assert await bench.command(5, write=False) == 0
        await bench.read([0, 640, 128])
        assert [(word, last) for _, word, last in await bench.came(3)] == [(0, 1)] * 3

    bench.run(test)
