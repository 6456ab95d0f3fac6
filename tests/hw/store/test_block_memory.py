"""Samples in block RAM: words as the host wrote them, as many as the first one says, in the order of the reads."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Signal
from amaranth.lib import stream
from amaranth.sim import SimulatorContext

from presparse.contract.sample_words import SampleFormat
from presparse.contract.store import StoreLayout, StoreState
from presparse_hw.lib import banks
from presparse_hw.store.block_memory import READ_LATENCY, BlockMemory
from tests.hw.bench import simulate

WORDS, SLOT = 176, 4
"""Eleven slots of 16 words."""
FORMAT = SampleFormat(bits=4, value_bits=10, palettes="shared", features=32, left=32, port=4, classes=5)


def words_of(rng: np.random.Generator, lengths: list[int]) -> list[int]:
    """Slots, each with a sample of so many words, and whatever lies behind it."""
    words = rng.integers(1 << 16, size=WORDS).tolist()
    for number, length in enumerate(lengths):
        words[number << SLOT] = length << FORMAT.length_shift | int(rng.integers(5))
    return words


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_samples_come_back(stall: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all lengths, in three banks; a word per cycle, but for the shortest."""
    monkeypatch.setattr(banks, "BANK_BITS", 5)
    rng = np.random.default_rng(3)
    lengths = [16, 1, 2, 5, 6, 0, 3, 4, 15, 7, 16]
    words = words_of(rng, lengths)
    dut = BlockMemory(StoreLayout(memory="block", words=WORDS, format=FORMAT))
    order = [*range(11), *rng.permutation(11).tolist(), 1, 1, 2, 2, 0, 0]
    kept = [max(1, lengths[number]) for number in order]
    expected = [
        (words[(number << SLOT) + i], int(i == length - 1))
        for number, length in zip(order, kept, strict=True)
        for i in range(length)
    ]
    found: list[tuple[int, int]] = []
    cycles: list[int] = []
    reading = Signal()

    async def transfer(ctx: SimulatorContext, port: stream.Interface, payload: object) -> None:
        while rng.random() < stall:
            await ctx.tick()
        ctx.set(port.payload, payload)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)

    async def command(ctx: SimulatorContext, address: int, data: int | None) -> int:
        port = dut.memory
        await transfer(ctx, port.commands, {"address": address, "data": data or 0, "write": data is not None})
        ctx.set(port.answers.ready, 1)
        (answer,) = await ctx.tick().sample(port.answers.payload).until(port.answers.valid)
        ctx.set(port.answers.ready, 0)
        return answer

    async def read(ctx: SimulatorContext) -> None:
        await ctx.tick().until(reading)
        for number in order:
            await transfer(ctx, dut.memory.reads, number << SLOT)

    async def testbench(ctx: SimulatorContext) -> None:
        assert ctx.get(dut.memory.state) == StoreState.READY
        pairs = [low | high << 16 for low, high in zip(words[::2], words[1::2], strict=True)]
        for address in rng.permutation(len(pairs)).tolist():
            assert await command(ctx, address, pairs[address]) == 0
        for address in rng.permutation(len(pairs)).tolist():
            assert await command(ctx, address, None) == pairs[address]
        ctx.set(reading, 1)
        port = dut.memory.words
        for cycle in range(20 * len(expected)):
            ctx.set(port.ready, rng.random() >= stall)
            _, _, valid, ready, word = await ctx.tick().sample(port.valid, port.ready, port.payload)
            if valid and ready:
                found.append((word.word, word.last))
                cycles.append(cycle)
            if len(found) == len(expected):
                break

    simulate(dut, testbench, read)
    assert found == expected
    if not stall:
        first = [cycles[sum(kept[:i])] for i in range(len(kept))]
        assert first[0] == 1 + READ_LATENCY + 3  # the first address is taken in cycle 1
        assert np.diff(first).tolist() == [max(length, 1 + READ_LATENCY) for length in kept[:-1]]
