"""A decoder in Amaranth's simulator: words go in, transfers and verdicts come out, with random stalls on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from amaranth.sim import SimulatorContext
from numpy.typing import NDArray

from presparse.contract.address_map import SAMPLE_PALETTES
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.sample_words import Palettes, SampleFormat, to_words
from presparse.contract.wire import SampleKind
from presparse_hw.samples.decoder import Decoder
from presparse_hw.samples.ports import format_of
from tests.hw.bench import simulate

Transfer = tuple[tuple[int, ...], int, int, int, bool]
"""Features, kind, rate, label, final."""


def small_build(
    *,
    bits: int,
    features: int,
    left: int,
    port: int,
    classes: int = 3,
    palettes: Literal["per feature", "shared"] = "per feature",
) -> Build:
    """Its decoder is all that matters."""
    network = Network(
        features=features, classes=classes, layers=(left, classes), out_degree=(classes,), lanes=(left,),
        activations=("sigmoid",),
    )  # fmt: skip
    return Build(network=network, sample_bits=bits, sample_palettes=palettes, feature_port=port)


COLORS = 9
"""Values of a palette that tests use, at most: they take long to write."""


def random_palettes(rng: np.random.Generator, fmt: SampleFormat) -> Palettes:
    """Any values."""
    half = 1 << fmt.value_bits - 1
    count = fmt.features if fmt.palettes == "per feature" else 1
    used = min(fmt.colors, COLORS)
    values = np.zeros((count, fmt.colors), dtype=np.int64)
    values[:, :used] = rng.integers(-half, half, size=(count, used))
    return Palettes(fmt, values, np.full(count, used))


@dataclass(frozen=True)
class Sample:
    """The words of one, and what it is for."""

    words: tuple[int, ...]
    kind: SampleKind
    rate: int
    label: int
    codes: NDArray[np.integer]

    def transfers(self, palettes: Palettes) -> list[Transfer]:
        fmt = palettes.format
        features = np.zeros(fmt.left, dtype=np.int64)
        features[: fmt.features] = palettes.decode(self.codes[None])[0]
        rows = features.reshape(-1, fmt.port).tolist()
        return [
            (tuple(row), int(self.kind), self.rate, self.label, number == len(rows) - 1)
            for number, row in enumerate(rows)
        ]


def random_sample(rng: np.random.Generator, fmt: SampleFormat, *, density: float) -> Sample:
    codes = rng.integers(min(fmt.colors, COLORS), size=fmt.features) * (rng.random(fmt.features) < density)
    return sample_of(rng, fmt, codes)


def sample_of(rng: np.random.Generator, fmt: SampleFormat, codes: NDArray[np.integer]) -> Sample:
    """With any kind, rate and label."""
    kind = SampleKind(int(rng.integers(1, 4)))
    label = 0 if kind == SampleKind.PREDICT else int(rng.integers(fmt.classes))
    words, _ = to_words(fmt, codes[None], np.array([label]))
    return Sample(tuple(words.tolist()), kind, int(rng.integers(16)), label, codes)


class Bench:
    """Runs a test against a decoder. `gaps` is the probability of a pause, per cycle and side."""

    def __init__(self, build: Build, *, seed: int = 0, gaps: float = 0.0) -> None:
        self.format = format_of(build)
        self.decoder = Decoder(build)
        self.gaps = gaps
        self.transfers: list[Transfer] = []
        self.taken = 0
        """Words."""
        self.cycle = 0
        self.finals: list[int] = []
        """Cycles in which samples were taken whole."""
        self._rng = np.random.default_rng(seed)
        self._words: list[tuple[int, int, int]] = []
        self._offered: Transfer | None = None
        self._ctx: SimulatorContext

    def run(self, test: Callable[[Bench], object]) -> None:
        async def main(ctx: SimulatorContext) -> None:
            self._ctx = ctx
            await test(self)  # type: ignore[misc]

        simulate(self.decoder, main)

    # What a test does

    def send(self, sample: Sample) -> None:
        """Kind and rate are said with the first word; with the others comes anything."""
        anything = self._rng.integers([4, 16], size=(len(sample.words) - 1, 2)).tolist()
        said = [(int(sample.kind), sample.rate), *anything]
        self._words += [(word, kind, rate) for word, (kind, rate) in zip(sample.words, said, strict=True)]

    def forget(self) -> None:
        """What was not taken is not sent."""
        self._words.clear()

    def told(self, name: Literal["bad", "settled", "between"]) -> bool:
        return bool(self._ctx.get(getattr(self.decoder, name)))

    async def tick(self) -> None:
        """A cycle: offer a word, take a transfer, or neither."""
        ctx, dut = self._ctx, self.decoder
        stalls = self._rng.random(2) < self.gaps
        offers = bool(self._words) and (not stalls[0] or ctx.get(dut.words.valid))  # what is offered stays
        if offers:
            word, kind, rate = self._words[0]
            ctx.set(dut.words.payload, {"word": word, "kind": kind, "rate": rate})
        ctx.set(dut.words.valid, offers)
        ctx.set(dut.samples.ready, not stalls[1])
        if offers and ctx.get(dut.words.ready):
            self._words.pop(0)
            self.taken += 1
            offers = False
        if ctx.get(dut.samples.valid):
            fed = ctx.get(dut.samples.payload)
            sample = fed.sample
            transfer = tuple(sample.features), sample.kind, sample.rate, sample.label, bool(fed.final)
            assert self._offered in (None, transfer), "what is offered stays"
            self._offered = transfer
            if not stalls[1]:
                self.transfers.append(transfer)
                self._offered = None
                if fed.final:
                    self.finals.append(self.cycle)
        else:
            assert self._offered is None, "what is offered stays"
        await ctx.tick()
        self.cycle += 1
        if not offers:
            ctx.set(dut.words.valid, 0)

    async def until(self, name: Literal["bad", "settled", "between"]) -> None:
        """Go on until all was taken and this is told."""
        for _ in range(40 * (self.format.most_words + self.format.left) + 400):
            if self.told(name) and (name == "bad" or not self._words):
                return
            await self.tick()
        raise AssertionError(f"the decoder is never {name}")

    async def drop(self) -> None:
        self._ctx.set(self.decoder.drop, 1)
        await self.tick()
        self._ctx.set(self.decoder.drop, 0)
        self._offered = None

    async def load(self, palettes: Palettes) -> None:
        """Write all colors that are used."""
        words = palettes.words.reshape(-1, palettes.format.colors)
        for palette, colors in enumerate(words.tolist()):
            for code in range(int(palettes.counts[0])):
                await self.command(palette * len(colors) + code, colors[code])

    async def command(self, word: int, value: int | None = None) -> int | None:
        """Write or read a color; what the answer says, or None for a bad address."""
        ctx, dut = self._ctx, self.decoder
        request = {"address": SAMPLE_PALETTES + word, "data": value or 0, "write": value is not None}
        ctx.set(dut.commands.payload, request)
        ctx.set(dut.commands.valid, 1)
        ctx.set(dut.answers.ready, 1)
        await ctx.tick().until(dut.commands.ready)
        ctx.set(dut.commands.valid, 0)
        (answer,) = await ctx.tick().sample(dut.answers.payload).until(dut.answers.valid)
        assert not answer.not_drained
        return None if answer.bad_address else answer.data
