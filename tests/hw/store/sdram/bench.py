"""An SDRAM memory with a modelled chip, its host and its reader."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from amaranth.sim import SimulatorContext

from presparse_hw.store.sdram.access import SdramAccess
from presparse_hw.store.sdram.chip import MT48LC16M16A2, Sdram, SdramChip
from presparse_hw.store.sdram.controller import SEGMENT_WORDS
from presparse_hw.store.sdram.memory import SdramMemory
from presparse_sim.chips.sdram import PINS, SdramFaults, SdramModel
from tests.hw.bench import simulate

LENGTH_SHIFT = 4
MOST_WORDS = 600


def sdram(chip: SdramChip = MT48LC16M16A2, mhz: float = 120.0, *, pad_cycles: int = 0) -> Sdram:
    """The chip at that clock, with next to no time for power-up."""
    return Sdram(chip=replace(chip, power_up_us=1.0), clock_hz=1e6 * mhz, pad_cycles=pad_cycles)


class Taken(NamedTuple):
    """A word of a sample as it came."""

    cycle: int
    word: int
    last: int


class Bench:
    """Runs a test against a memory.

    `tested`: with its self-test; else the read phase is the first one in which the chip's data are there.
    `late`, `stay`: as `SdramModel` has them. `stall`: probability, per cycle, that a word is not taken.
    """

    def __init__(
        self,
        sdram: Sdram,
        *,
        tested: bool = False,
        late: int = 1,
        stay: int = 2,
        faults: SdramFaults | None = None,
        stall: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.sdram = sdram
        self.rng = random.Random(seed)
        self.stall = stall
        self.words: list[Taken] = []
        self.model = SdramModel(sdram, late=late, stay=stay, faults=faults)
        self.dut: SdramMemory | SdramAccess
        if tested:
            self.dut = SdramMemory(sdram, length_shift=LENGTH_SHIFT, most_words=MOST_WORDS)
            self.port = self.dut.memory
        else:
            self.dut = self.port = SdramAccess(sdram, length_shift=LENGTH_SHIFT, most_words=MOST_WORDS)
        self._late = late
        self.ctx: SimulatorContext

    def run(self, test: Callable[[], Awaitable[None]]) -> None:
        async def main(ctx: SimulatorContext) -> None:
            self.ctx = ctx
            if isinstance(self.dut, SdramAccess):
                ctx.set(self.dut.phase, self._late)
            await test()

        simulate(self.dut, main, self._surroundings)

    # What a test does

    @property
    def cycle(self) -> int:
        return self.model.cycles

    async def started(self) -> None:
        """The chip has started: it executes a command."""
        await self.command(0, write=False)

    async def command(self, address: int, data: int = 0, *, write: bool) -> int:
        """One access of the host's; returns the answer."""
        ctx, commands, answers = self.ctx, self.port.commands, self.port.answers
        ctx.set(commands.payload, {"address": address, "data": data, "write": int(write)})
        ctx.set(commands.valid, 1)
        await ctx.tick().until(commands.ready)
        ctx.set(commands.valid, 0)
        await ctx.tick().repeat(self.rng.randint(1, 3))
        ctx.set(answers.ready, 1)
        [answer] = await ctx.tick().sample(answers.payload).until(answers.valid)
        ctx.set(answers.ready, 0)
        return answer

    async def store(self, address: int, words: Sequence[int]) -> None:
        """Write words, an even number of them, as the host does."""
        for i in range(0, len(words), 2):
            answer = await self.command((address + i) // 2, words[i] | words[i + 1] << 16, write=True)
            assert answer == 0

    def put(self, address: int, words: Sequence[int]) -> None:
        """Put words into the chip past its pins."""
        chip = self.sdram.chip
        per_column = chip.width // 16
        columns = SEGMENT_WORDS // per_column
        for i in range(0, len(words), per_column):
            segment, offset = divmod((address + i) // per_column, columns)
            segment, bank = divmod(segment, chip.banks)
            row, upper = divmod(segment, (1 << chip.columns) // columns)
            value = sum(word << 16 * j for j, word in enumerate(words[i : i + per_column]))
            self.model.write(bank, row, upper * columns + offset, value)

    async def read(self, addresses: Sequence[int], *, gaps: float = 0.0) -> None:
        """Ask for samples, one after the other, with random pauses before them."""
        reads = self.port.reads
        for address in addresses:
            while self.rng.random() < gaps:
                await self.ctx.tick()
            self.ctx.set(reads.payload, address)
            self.ctx.set(reads.valid, 1)
            await self.ctx.tick().until(reads.ready)
            self.ctx.set(reads.valid, 0)

    async def came(self, words: int) -> list[Taken]:
        """That many words of samples, once they are all there; and no more come."""
        for _ in range(20 * words + 2000):
            if len(self.words) >= words:
                await self.wait(100)
                assert len(self.words) == words
                return self.words
            await self.ctx.tick()
        raise AssertionError(f"{len(self.words)} words came, and not {words}")

    async def wait(self, cycles: int) -> None:
        await self.ctx.tick().repeat(cycles)

    # What is around the memory

    async def _surroundings(self, ctx: SimulatorContext) -> None:
        """The chip, and whoever takes words."""
        pads, words = self.dut.pads, self.port.words
        pins = [getattr(pads, name) for name in PINS]
        held: tuple[int, int] | None = None
        while True:
            ready = self.rng.random() >= self.stall
            ctx.set(words.ready, ready)
            _, _, *values, valid, word, last = await ctx.tick().sample(
                *pins, words.valid, words.payload.word, words.payload.last
            )
            cycle = self.model.cycles
            middle, end = self.model.step(dict(zip(PINS, values, strict=True)))
            ctx.set(pads.dq_i[0], middle)
            ctx.set(pads.dq_i[1], end)
            if held is not None:
                assert valid, "a word that was offered is gone"
                assert held == (word, last), "a word that was offered has changed"
            held = (word, last) if valid and not ready else None
            if valid and ready:
                self.words.append(Taken(cycle, word, last))


def sample(rng: random.Random, length: int, *, says: int | None = None) -> list[int]:
    """`length` random words, and one more if that is odd; the first says `says`, or `length`."""
    first = (length if says is None else says) << LENGTH_SHIFT | rng.randrange(1 << LENGTH_SHIFT)
    return [first, *(rng.randrange(1 << 16) for _ in range(length + length % 2 - 1))]
