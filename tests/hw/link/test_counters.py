"""Counters against additions in Python: every event of every cycle, read at any time."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.address_map import COUNTER_BITS, COUNTERS, Counter
from presparse_hw.link.counters import READ_CYCLES, ROUND, Counters
from tests.hw.bench import simulate

pytestmark = pytest.mark.slow


MASK = (1 << COUNTER_BITS) - 1


class Bench:
    """Steps a dut with events of its own choice; `history` holds the totals after each cycle."""

    def __init__(self, dut: Counters, ctx: SimulatorContext, events: Iterator[dict[Counter, int]]) -> None:
        self._dut, self._ctx, self._events = dut, ctx, events
        self.history: list[dict[Counter, int]] = [dict.fromkeys(COUNTERS, 0)]

    async def step(self, *, clear: bool = False) -> None:
        events = next(self._events)
        self._ctx.set(self._dut.events, events)
        self._ctx.set(self._dut.clear, clear)
        await self._ctx.tick()
        self._ctx.set(self._dut.clear, 0)
        totals: dict[Counter, int] = {name: self.history[-1][name] + events[name] & MASK for name in COUNTERS}
        self.history.append(dict.fromkeys(COUNTERS, 0) if clear else totals)

    async def read(self, word: int) -> tuple[int, int]:
        """A word, and the cycles from the first of `read` to that of `valid`."""
        port = self._dut.port
        self._ctx.set(port.word, word)
        self._ctx.set(port.read, 1)
        cycles = 0
        while not self._ctx.get(port.valid):
            await self.step()
            cycles += 1
            assert cycles <= READ_CYCLES
        value = self._ctx.get(port.data)
        await self.step()
        self._ctx.set(port.read, 0)
        return value, cycles

    async def check(self, name: Counter) -> int:
        """Read a counter: it has the total of a cycle of its reading or of 2 before. Returns how long that took."""
        before = len(self.history) - 1
        low, cycles = await self.read(2 * COUNTERS.index(name))
        moments = self.history[max(0, before - 2) :]
        for _ in range(random.Random(cycles).randrange(3 * ROUND)):
            await self.step()
        high, at_once = await self.read(2 * COUNTERS.index(name) + 1)
        assert at_once == 0
        assert high << 32 | low in [totals[name] for totals in moments]
        return cycles


def random_events(seed: int, widths: dict[Counter, int]) -> Iterator[dict[Counter, int]]:
    """Nothing, as many as there can be, or anything between."""
    rng = random.Random(seed)
    while True:
        yield {name: rng.choice([0, (1 << width) - 1, rng.getrandbits(width)]) for name, width in widths.items()}


ONE: dict[Counter, int] = dict.fromkeys(COUNTERS, 1)
MIXED: dict[Counter, int] = {name: (1, 2, 7, 16, 31, 40, 47)[i % 7] for i, name in enumerate(COUNTERS)}


@pytest.mark.parametrize("widths", [ONE, MIXED], ids=["one", "mixed"])
def test_counts_every_event(widths: dict[Counter, int]) -> None:
    """Up to 2^47 - 1 events per cycle, so that slices carry into each other and totals wrap."""
    dut = Counters(widths)

    async def testbench(ctx: SimulatorContext) -> None:
        bench = Bench(dut, ctx, random_events(1, widths))
        rng = random.Random(2)
        for _ in range(120):
            await bench.check(rng.choice(COUNTERS))
            if rng.random() < 0.1:
                await bench.step(clear=True)
                for _ in range(rng.randrange(2 * ROUND)):
                    await bench.step()

    simulate(dut, testbench)


def test_events_in_every_cycle_are_never_lost() -> None:
    """The most that can be collected between two visits fits; all counters agree in the end."""
    widths = MIXED
    dut = Counters(widths)
    full: dict[Counter, int] = {name: (1 << width) - 1 for name, width in widths.items()}

    async def testbench(ctx: SimulatorContext) -> None:
        bench = Bench(dut, ctx, iter(lambda: full, None))
        for _ in range(5 * ROUND):
            await bench.step()
        for name in COUNTERS:
            await bench.check(name)

    simulate(dut, testbench)


def test_clear_spares_no_event_before_it_and_every_event_after_it() -> None:
    """At every moment of a round: the cycle of `clear` does not count any more, the next one does."""
    dut = Counters(ONE)

    async def testbench(ctx: SimulatorContext) -> None:
        always = Bench(dut, ctx, iter(lambda: ONE, None))
        never = iter(lambda: dict.fromkeys(COUNTERS, 0), None)
        for moment in range(ROUND + 3):
            for _ in range(ROUND + moment):
                await always.step()
            await always.step(clear=True)
            counted = 1 + moment % 3
            for _ in range(counted):
                await always.step()
            quiet = Bench(dut, ctx, never)
            quiet.history = [dict.fromkeys(COUNTERS, counted)]
            for _ in range(2):
                await quiet.step()
            for name in (COUNTERS[moment % len(COUNTERS)], COUNTERS[-1], COUNTERS[0]):
                await quiet.check(name)

    simulate(dut, testbench)


def test_reading_takes_as_long_as_documented() -> None:
    dut = Counters(ONE)

    async def testbench(ctx: SimulatorContext) -> None:
        bench = Bench(dut, ctx, random_events(4, ONE))
        await bench.step(clear=True)
        assert await bench.check(COUNTERS[-1]) == READ_CYCLES
        waits = set()
        for moment in range(ROUND):
            for _ in range(moment):
                await bench.step()
            waits.add(await bench.check(COUNTERS[5]))
        assert max(waits) <= READ_CYCLES
        assert len(waits) > 1

    simulate(dut, testbench)


def test_reading_a_low_word_holds_the_high_one() -> None:
    """While the counter goes on: 3 * 2^32 - 1 is read, and its high word after 3 * 2^32 is reached."""
    widths = dict.fromkeys(COUNTERS, 34)
    dut = Counters(widths)
    none: dict[Counter, int] = dict.fromkeys(COUNTERS, 0)

    async def testbench(ctx: SimulatorContext) -> None:
        one: dict[Counter, int] = {**none, "cycles": 1}
        many: dict[Counter, int] = {**none, "cycles": 3 * (1 << 32) - 1}
        bench = Bench(dut, ctx, iter([many, *[none] * 60, one, *[none] * 200]))
        await bench.step()
        assert (await bench.read(0))[0] == (1 << 32) - 1
        while bench.history[-1]["cycles"] != 3 << 32:
            await bench.step()
        assert (await bench.read(1))[0] == 2
        assert (await bench.read(0))[0] == 0
        assert (await bench.read(1))[0] == 3

    simulate(dut, testbench)
