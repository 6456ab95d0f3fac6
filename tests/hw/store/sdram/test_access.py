"""Words and samples of a modelled SDRAM, which knows every rule of the chips."""

from __future__ import annotations

from dataclasses import replace

import pytest

from presparse_hw.store.sdram.chip import EM638325, IS42S16160, M12L16161A_PAIR, MT48LC16M16A2, W9825G6KH, Sdram
from tests.hw.store.sdram.bench import LENGTH_SHIFT, MOST_WORDS, Bench, sample, sdram

SLOT = 128


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sdram", "late", "stay", "stall"),
    [
        (sdram(MT48LC16M16A2, 120.0), 1, 2, 0.3),
        (sdram(IS42S16160, 133.0, pad_cycles=2), 2, 1, 0.0),
        (sdram(W9825G6KH, 25.0), 0, 2, 0.6),  # CAS latency 2, and some times of one cycle
        (sdram(EM638325, 120.0), 1, 2, 0.3),
        (sdram(M12L16161A_PAIR, 100.0, pad_cycles=1), 3, 1, 0.0),
    ],
    ids=lambda value: f"{value.chip.name} at {value.clock_hz / 1e6:g} MHz" if isinstance(value, Sdram) else None,
)
def test_what_was_written_is_read(sdram: Sdram, late: int, stay: int, stall: float) -> None:
    """Samples of all lengths, in slots of 16 to 1024 words, from the first row to the last, in random order; the short
    ones were written by the host, which read some of their words back in between."""
    bench = Bench(sdram, late=late, stay=stay, stall=stall, seed=1)
    rng = bench.rng

    async def test() -> None:
        samples: dict[int, list[int]] = {}
        for length, slot in (
            (1, 16),
            (2, 16),
            (9, 16),
            (5, 32),
            (64, 64),
            (65, 128),
            (128, 128),
            (129, 256),
            (350, 1024),
        ):
            address = slot * rng.randrange(sdram.chip.words // slot)
            samples[address] = sample(rng, length)
        # Two in the same bank, and one in the memory's last words.
        samples[sdram.chip.words - 16] = sample(rng, 16)
        samples[0] = sample(rng, 3)
        samples[sdram.chip.words // 2] = sample(rng, 21)
        for address, words in samples.items():
            if len(words) > 22:
                bench.put(address, words)
                continue
            await bench.store(address, words)
            i = 2 * rng.randrange(len(words) // 2)
            read = await bench.command((address + i) // 2, write=False)
            assert read == words[i] | words[i + 1] << 16
        order = rng.choices(list(samples), k=16)
        await bench.read(order, gaps=0.2)
        expected = [
            (word, i == (samples[address][0] >> LENGTH_SHIFT) - 1)
            for address in order
            for i, word in enumerate(samples[address][: samples[address][0] >> LENGTH_SHIFT])
        ]
        came = await bench.came(len(expected))
        assert [(word, last) for _, word, last in came] == expected
        assert bench.model.broken == []

    bench.run(test)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sdram", "order", "beyond"),
    [
        (sdram(MT48LC16M16A2, 120.0), "sequential", 2.7),
        (sdram(MT48LC16M16A2, 120.0), "random", 5.0),
        (sdram(EM638325, 120.0), "sequential", 1.0),  # the words go out while the next row is opened
        (sdram(EM638325, 120.0), "random", 1.0),
    ],
    ids=lambda value: value.chip.name if isinstance(value, Sdram) else None,
)
def test_cycles_beyond_a_samples_words(sdram: Sdram, order: str, beyond: float) -> None:
    bench = Bench(sdram)
    rng = bench.rng
    samples = {SLOT * i: sample(rng, rng.randint(45, 95)) for i in range(25)}
    addresses = list(samples)
    if order == "random":
        rng.shuffle(addresses)

    async def test() -> None:
        await bench.started()
        for address, words in samples.items():
            bench.put(address, words)
        await bench.read(addresses)
        expected = [word for address in addresses for word in samples[address][: samples[address][0] >> LENGTH_SHIFT]]
        came = await bench.came(len(expected))
        assert [word for _, word, _ in came] == expected
        cycles = came[-1].cycle - came[0].cycle + 1
        assert (cycles - len(expected)) / (len(addresses) - 1) < beyond
        assert bench.model.broken == []

    bench.run(test)


@pytest.mark.slow
@pytest.mark.parametrize("says", [0, MOST_WORDS + 1, (1 << 16 - LENGTH_SHIFT) - 1])
def test_a_length_that_cannot_be_is_cut(says: int) -> None:
    bench = Bench(sdram())
    words = sample(bench.rng, MOST_WORDS, says=says)

    async def test() -> None:
        await bench.started()
        bench.put(3 * 1024, words)
        bench.put(0, sample(bench.rng, 4))
        await bench.read([3 * 1024, 0])
        length = MOST_WORDS if says else 1
        came = await bench.came(length + 4)
        assert [word for _, word, _ in came[:length]] == words[:length]
        assert [last for _, _, last in came] == [0] * (length - 1) + [1, 0, 0, 0, 1]
        assert bench.model.broken == []

    bench.run(test)


@pytest.mark.parametrize(("pad_cycles", "late"), [(0, 0), (2, 3)])
def test_latency(pad_cycles: int, late: int) -> None:
    """From the address that is taken to the first word that is offered, and from one word to the next."""
    bench = Bench(sdram(pad_cycles=pad_cycles), late=late, stay=1)

    async def test() -> None:
        await bench.started()
        bench.put(SLOT, sample(bench.rng, 40))
        await bench.read([SLOT])
        taken_at = bench.cycle
        came = await bench.came(40)
        t = bench.sdram.cycles
        to_read, to_word = t.rcd + 4, t.cas + pad_cycles + 7 + late // 2
        assert [cycle - taken_at for cycle, _, _ in came] == [to_read + to_word + i for i in range(40)]

    bench.run(test)


@pytest.mark.slow
def test_nothing_is_lost_while_nobody_takes_words() -> None:
    """8 rows, which keep their data for 16 us. Words wait for longer than that, twice, in the middle of a sample."""
    chip = replace(MT48LC16M16A2, rows=3, refresh_us=2.0)
    bench = Bench(sdram(chip, 100.0))

    async def test() -> None:
        await bench.started()
        samples = [sample(bench.rng, 100) for _ in range(4)]
        for i, words in enumerate(samples):
            bench.put(1024 * i, words)
        await bench.wait(2000)
        await bench.read([0, 1024])
        bench.stall = 1.0
        await bench.wait(2000)
        bench.stall = 0.0
        await bench.read([2048, 3072])
        came = await bench.came(400)
        assert [word for _, word, _ in came] == [word for words in samples for word in words]
        assert bench.model.broken == []

    bench.run(test)
