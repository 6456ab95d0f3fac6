"""The host's words of the palettes: each is kept, padding is 0, and all columns look up what was written."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.contract.build import Build
from tests.hw.samples.bench import Bench, random_palettes, random_sample, small_build


@pytest.mark.parametrize(
    "build",
    [
        small_build(bits=2, features=13, left=18, port=6),  # two columns of padding in a row of words
        small_build(bits=3, features=10, left=18, port=6, palettes="shared"),
        small_build(bits=4, features=2, left=2, port=1),
    ],
)
def test_words_are_kept_whatever_is_dropped_or_decoded(build: Build) -> None:
    rng = np.random.default_rng(5)
    bench = Bench(build, gaps=0.2)
    fmt = bench.format
    palettes = random_palettes(rng, fmt)
    samples = [random_sample(rng, fmt, density=0.8) for _ in range(3)]

    async def test(bench: Bench) -> None:
        for word in rng.permutation(fmt.palette_words).tolist():  # bits above the format's width do not count
            await bench.command(word, int(palettes.words[word]) | 0x5A5A5A5A << fmt.value_bits & 0xFFFFFFFF)
        for sample in samples:
            bench.send(sample)
        await bench.until("between")
        await bench.drop()
        for word in [*range(fmt.palette_words)]:
            assert await bench.command(word) == palettes.words[word]
        for word in (fmt.palette_words, (1 << 24) - 1):
            assert await bench.command(word) is None
            assert await bench.command(word, 3) is None
        assert await bench.command(0) == palettes.words[0]

    bench.run(test)
    assert bench.transfers == [transfer for sample in samples for transfer in sample.transfers(palettes)]
