"""The queue gives every word once, in order, one per cycle if it is asked to."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.schedule import READ
from presparse_hw.lib.queue import Queue, StreamQueue
from tests.hw.bench import simulate


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("eagerness", [0.2, 0.6, 1.0])
def test_words_come_in_order(depth: int, eagerness: float) -> None:
    rng = np.random.default_rng(depth)
    dut = Queue(8, depth)
    inside: deque[int] = deque()
    given = 0

    async def testbench(ctx: SimulatorContext) -> None:
        nonlocal given
        for _ in range(600):
            write, ready = len(inside) < depth and rng.random() < 0.6, rng.random() < eagerness
            word = int(rng.integers(256))
            ctx.set(dut.write, write)
            ctx.set(dut.word, word)
            ctx.set(dut.words.ready, ready)
            if ctx.get(dut.words.valid):
                assert ctx.get(dut.words.payload) == inside[0]
                if ready:
                    inside.popleft()
                    given += 1
            if write:
                inside.append(word)
            await ctx.tick()

    simulate(dut, testbench)
    assert given > 50


def test_one_word_per_cycle_and_its_latency() -> None:
    dut = Queue(8, 8)
    came: list[tuple[int, int]] = []

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.words.ready, 1)
        for cycle in range(20):
            ctx.set(dut.write, cycle < 12)
            ctx.set(dut.word, cycle)
            if ctx.get(dut.words.valid):
                came.append((cycle, ctx.get(dut.words.payload)))
            await ctx.tick()

    simulate(dut, testbench)
    assert came == [(word + READ + 1, word) for word in range(12)]


@pytest.mark.parametrize("depth", [1, 2, 7, 16])
@pytest.mark.parametrize("eagerness", [0.1, 1.0])
def test_a_stream_queue_takes_words_while_there_is_room(depth: int, eagerness: float) -> None:
    rng = np.random.default_rng(depth)
    dut = StreamQueue(8, depth)
    inside: deque[int] = deque()
    given, full = 0, 0

    async def testbench(ctx: SimulatorContext) -> None:
        nonlocal given, full
        for _ in range(600):
            ctx.set(dut.i.valid, rng.random() < 0.8)
            ctx.set(dut.i.payload, int(rng.integers(256)))
            ctx.set(dut.o.ready, rng.random() < eagerness)
            assert ctx.get(dut.i.ready) == (len(inside) < depth)
            full += len(inside) == depth
            takes = ctx.get(dut.i.valid & dut.i.ready)
            if ctx.get(dut.o.valid & dut.o.ready):
                assert ctx.get(dut.o.payload) == inside.popleft()
                given += 1
            if takes:
                inside.append(ctx.get(dut.i.payload))
            await ctx.tick()

    simulate(dut, testbench)
    assert given > 40
    assert full or (eagerness == 1 and depth > 3)
