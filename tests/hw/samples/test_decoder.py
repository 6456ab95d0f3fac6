"""The decoder gives what `from_words` reads, refuses what it refuses, and keeps up with its words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.errors import SampleError
from presparse.contract.network import Network
from presparse.contract.sample_words import SampleFormat, from_words, to_words
from presparse.contract.wire import SampleKind
from presparse_hw.samples.decoder import BLOCK_LATENCY, MASK_LATENCY
from presparse_hw.samples.ports import format_of
from tests.hw.samples.bench import Bench, Sample, random_palettes, random_sample, sample_of, small_build

seeds = st.integers(0, 2**32 - 1)
simulated = settings(deadline=None, max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
"""No shrinking: every attempt is a simulation."""


BLOCKS_OF_3 = small_build(bits=5, features=20, left=24, port=6, palettes="shared")
"""15 bits to a block, 7 blocks of which the last holds 2 features, 2 to a transfer; one mask, 2 bits of label."""
TWO_WORDS_OF_HEADER = small_build(bits=9, features=120, left=126, port=18, classes=500, palettes="shared")
"""And two masks to a transfer."""


@st.composite
def builds(draw: st.DrawFn) -> Build:
    """Several transfers to a mask, several masks to a transfer; palettes per feature where they are few."""
    port = draw(st.sampled_from([1, 2, 3, 6, 12, 18]))
    transfers = draw(st.integers(1, 4))
    bits = draw(st.integers(1, 10))
    return small_build(
        bits=bits,
        features=draw(st.integers(1, transfers * port)),
        left=transfers * port,
        port=port,
        classes=draw(st.sampled_from([2, 3, 10, 300])),
        palettes="per feature" if bits * transfers * port <= 24 else "shared",
    )


def refused(fmt: SampleFormat, words: list[int], kind: SampleKind) -> bool:
    """Whether the words that begin with a sample's are wrong, as the contract reads them."""
    length = words[0] >> fmt.length_shift
    if not fmt.least_words <= length <= fmt.most_words:
        return True
    try:
        _, labels = from_words(fmt, np.array(words[:length], dtype=np.uint16))
    except SampleError:
        return True
    return kind == SampleKind.PREDICT and bool(labels[0])


@pytest.mark.slow
@simulated
@example(build=TWO_WORDS_OF_HEADER, seed=1, density=0.5, gaps=0.3)
@example(build=BLOCKS_OF_3, seed=1, density=1.0, gaps=0.0)
@given(build=builds(), seed=seeds, density=st.sampled_from([0.0, 0.1, 0.5, 1.0]), gaps=st.sampled_from([0.0, 0.3, 0.7]))
def test_samples_come_as_they_were_packed(build: Build, seed: int, density: float, gaps: float) -> None:
    rng = np.random.default_rng(seed)
    bench = Bench(build, seed=seed, gaps=gaps)
    palettes = random_palettes(rng, bench.format)
    samples = [random_sample(rng, bench.format, density=density) for _ in range(6)]

    async def test(bench: Bench) -> None:
        await bench.load(palettes)
        assert bench.told("between")
        for sample in samples:
            bench.send(sample)
        await bench.until("between")

    bench.run(test)
    assert bench.transfers == [transfer for sample in samples for transfer in sample.transfers(palettes)]


@pytest.mark.slow
@simulated
@example(build=TWO_WORDS_OF_HEADER, seed=1, gaps=0.3)
@given(build=builds(), seed=seeds, gaps=st.sampled_from([0.0, 0.5]))
def test_wrong_words_are_bad_and_good_samples_follow(build: Build, seed: int, gaps: float) -> None:
    """Samples with one word changed, left out or put in, as often as not still good; behind them the next sample."""
    rng = np.random.default_rng(seed)
    bench = Bench(build, seed=seed, gaps=gaps)
    fmt = bench.format
    palettes = random_palettes(rng, fmt)

    async def test(bench: Bench) -> None:
        await bench.load(palettes)
        for _ in range(6):
            good, harmed, next_one = (random_sample(rng, fmt, density=0.4) for _ in range(3))
            words = [*_harmed(rng, harmed.words), *next_one.words, *[0] * fmt.most_words]
            if not refused(fmt, words, harmed.kind):
                continue
            bench.transfers.clear()
            bench.send(good)
            taken = bench.taken + len(good.words)
            bench.send(Sample(tuple(words), harmed.kind, harmed.rate, 0, harmed.codes))
            await bench.until("bad")
            length = words[0] >> fmt.length_shift
            assert bench.taken - taken <= (length if fmt.least_words <= length <= fmt.most_words else 1)
            assert [t for t in bench.transfers if t[-1]] == good.transfers(palettes)[-1:]
            bench.forget()
            await bench.drop()
            assert bench.told("between")
            bench.transfers.clear()
            bench.send(next_one)
            await bench.until("between")
            assert bench.transfers == next_one.transfers(palettes)

    bench.run(test)


def _harmed(rng: np.random.Generator, words: tuple[int, ...]) -> list[int]:
    """One word changed (by a bit, or all of it), left out, or put in."""
    harmed, at = list(words), int(rng.integers(len(words)))
    how = rng.integers(4)
    if how == 0:
        harmed[at] ^= 1 << int(rng.integers(16))
    elif how == 1:
        harmed[at] = int(rng.integers(1 << 16))
    elif how == 2:
        del harmed[at]
    else:
        harmed.insert(at, int(rng.integers(1 << 16)) >> int(rng.integers(17)))
    return harmed or [0]


NO_CODES = np.zeros(0, dtype=np.int64)
"""Of words that are no sample's."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "at"),
    [
        ((0b01 | 1 << 2, 0), 1),  # a length below the least
        ((0b01 | 11 << 2, 0), 1),  # above the most
        ((0b01 | 0 << 2, 0), 1),
        ((0b11 | 2 << 2, 0), 1),  # label 3 of 3 classes
        ((0b01 | 2 << 2, 1), 2),  # a block more than the length says
        ((0b01 | 3 << 2, 0), 2),  # one less
        ((0b01 | 3 << 2, 1 << 7), 2),  # a block of no feature
        ((0b01 | 3 << 2, 1 << 15), 2),
        ((0b01 | 3 << 2, 1, 0), 3),  # a block that is 0
        ((0b01 | 3 << 2, 1, 1 << 15), 3),  # bits above its codes
        ((0b01 | 3 << 2, 1 << 6, 1 << 10), 3),  # a code behind the last feature
        ((0b01 | 4 << 2, 3, 1, 0), 4),
        ((0b01 | 4 << 2, 7, 1, 1), 4),
    ],
)
def test_bad_at_the_first_wrong_word(words: tuple[int, ...], at: int) -> None:
    fmt = format_of(BLOCKS_OF_3)
    assert refused(fmt, [*words, *[0] * 16], SampleKind.TRAIN)
    bench = Bench(BLOCKS_OF_3)

    async def test(bench: Bench) -> None:
        bench.send(Sample((*words, *[0] * 16), SampleKind.TRAIN, 0, 0, NO_CODES))
        await bench.until("bad")
        assert bench.taken == at
        for _ in range(40):
            await bench.tick()
        assert bench.told("bad")
        assert bench.taken == at
        assert not bench.finals

    bench.run(test)


@pytest.mark.parametrize(("kind", "bad"), [(SampleKind.PREDICT, True), (SampleKind.EVALUATE, False)])
@pytest.mark.parametrize("build", [BLOCKS_OF_3, TWO_WORDS_OF_HEADER])
def test_a_label_where_none_may_be(build: Build, kind: SampleKind, bad: bool) -> None:
    bench = Bench(build)
    fmt = bench.format
    words, _ = to_words(fmt, np.zeros((1, fmt.features), dtype=np.int64), np.array([1]))

    async def test(bench: Bench) -> None:
        bench.send(Sample(tuple(words.tolist()), kind, 0, 1, NO_CODES))
        await bench.until("bad" if bad else "between")
        assert len(bench.finals) == (not bad)

    bench.run(test)


@pytest.mark.slow
@simulated
@given(build=builds(), seed=seeds)
def test_dropped_anywhere(build: Build, seed: int) -> None:
    """Whatever was under way, the decoder begins anew; what it gave until then are samples in order."""
    rng = np.random.default_rng(seed)
    bench = Bench(build, seed=seed, gaps=0.3)
    palettes = random_palettes(rng, bench.format)

    async def test(bench: Bench) -> None:
        await bench.load(palettes)
        for _ in range(6):
            samples = [random_sample(rng, bench.format, density=0.4) for _ in range(3)]
            for sample in samples:
                bench.send(sample)
            for _ in range(int(rng.integers(80))):
                await bench.tick()
            bench.forget()
            await bench.drop()
            expected = [transfer for sample in samples for transfer in sample.transfers(palettes)]
            assert bench.transfers == expected[: len(bench.transfers)]
            bench.transfers.clear()
            assert bench.told("between")

    bench.run(test)


def test_dropped_in_any_cycle() -> None:
    """Also in the one in which a sample's last transfer is taken: it is taken, and not counted afterwards."""
    rng = np.random.default_rng(1)
    bench = Bench(BLOCKS_OF_3)
    sample = random_sample(rng, bench.format, density=0.5)

    async def test(bench: Bench) -> None:
        dropped_last = 0
        for cycles in range(len(sample.words) + MASK_LATENCY + 2):
            bench.send(sample)
            for _ in range(cycles):
                await bench.tick()
            bench.forget()
            whole = len(bench.finals)
            await bench.drop()
            dropped_last += len(bench.finals) - whole
            for _ in range(3):
                assert bench.told("between")
                await bench.tick()
        assert dropped_last == 1

    bench.run(test)


def test_settled_inside_a_sample() -> None:
    """When every word was judged and every whole sample taken, and not before."""
    rng = np.random.default_rng(0)
    bench = Bench(BLOCKS_OF_3)
    first, second = (random_sample(rng, bench.format, density=0.5) for _ in range(2))

    async def test(bench: Bench) -> None:
        bench.send(first)
        bench.send(Sample(second.words[:2], second.kind, 0, 0, second.codes))
        while bench.taken < len(first.words) + 2:
            await bench.tick()
            assert not bench.told("settled")
        await bench.until("settled")
        assert len(bench.finals) == 1
        assert not bench.told("between")

    bench.run(test)


@pytest.mark.slow
@pytest.mark.parametrize(("code", "latency"), [(0, MASK_LATENCY), (1, BLOCK_LATENCY)])
def test_latency(code: int, latency: int) -> None:
    """Of the last word, which comes when all before it was done."""
    bench = Bench(small_build(bits=4, features=8, left=8, port=8))
    sample = sample_of(np.random.default_rng(1), bench.format, np.full(8, code))

    async def test(bench: Bench) -> None:
        bench.send(replace(sample, words=sample.words[:-1]))
        for _ in range(50):
            await bench.tick()
        bench.send(replace(sample, words=sample.words[-1:]))
        last_word = bench.cycle
        await bench.until("between")
        assert bench.finals == [last_word + latency]

    bench.run(test)


@pytest.mark.slow
def test_cycles_per_sample() -> None:
    """Words like MNIST's: within a cycle of the words, or of the steps that their transfers take."""
    build = Build(network=Network.load("mnist-dey"), sample_bits=4, sample_palettes="shared", feature_port=32)
    bench, rng = Bench(build), np.random.default_rng(3)
    fmt = bench.format
    samples, steps = [], []
    for _ in range(8):
        image = np.zeros((28, 28), dtype=bool)
        top, left, height, width = rng.integers([4, 6, 16, 8], [7, 9, 20, 13])
        image[top : top + height, left : left + width] = rng.random((height, width)) < 0.5
        samples.append(sample_of(rng, fmt, image.reshape(-1) * rng.integers(1, fmt.colors, size=784)))
        steps.append(_steps(fmt, samples[-1].codes))
    words = [len(sample.words) for sample in samples]
    assert 60 < np.mean(words) < 75
    assert 60 < np.mean(steps) < 75

    async def test(bench: Bench) -> None:
        for sample in samples:
            bench.send(sample)
        await bench.until("between")

    bench.run(test)
    assert bench.finals[-1] - bench.finals[0] <= max(sum(words[1:]), sum(steps[1:])) + len(samples) - 1


def _steps(fmt: SampleFormat, codes: NDArray[np.integer]) -> int:
    """Of all transfers: a step for each block that is kept, and at least one."""
    padded = np.zeros(fmt.left, dtype=np.int64)
    padded[: len(codes)] = codes
    kept = padded.reshape(-1, fmt.transfer_blocks, fmt.block_features).any(axis=2).sum(axis=1)
    return int(np.maximum(kept, 1).sum())
