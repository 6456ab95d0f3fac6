"""Samples on the board: how a build's store is laid out, and what is written to it.

The store is a memory of 16-bit words. A sample's words (`presparse.contract.sample_words`) begin at the start of its
*slot*; all slots have one size, a power of two that the host chooses for its samples and names in every run. What is
behind a sample in its slot means nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import SAMPLE_PALETTES, STORE_WORDS
from presparse.contract.errors import StoreError
from presparse.contract.formats import integer_type
from presparse.contract.sample_words import Palettes, SampleFormat, to_words
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind, StoredRun

StoreMemory = Literal["block", "sdram"]
"""Block RAM of the FPGA, or a chip beside it."""

LEAST_SLOT = 1
"""log2 of the words of the smallest slot: one word of the host's."""


class StoreState(enum.IntEnum):
    """What a board says about its store."""

    NONE = 0
    """The build has none."""
    TESTING = 1
    """The memory is being started and tested."""
    READY = 2
    FAILED = 3
    """The memory failed its test: there are no runs, all else works."""


@dataclass(frozen=True, kw_only=True)
class StoreLayout:
    """The store of a build."""

    memory: StoreMemory
    words: int
    """16-bit words that it holds."""
    format: SampleFormat

    @property
    def largest_slot(self) -> int:
        """log2 of the words of a slot for any sample."""
        return slot_for(self.format.most_words)

    def capacity(self, slot: int) -> int:
        """Samples that fit, in slots of 2^slot words."""
        return self.words >> slot

    def check_samples(self, count: int, slot: int = LEAST_SLOT) -> None:
        """Raises StoreError if so many samples do not fit."""
        if count > self.capacity(slot):
            raise StoreError(
                f"the board's store holds {self.capacity(slot):,} samples of up to {1 << slot} words, and these are "
                f"{count:,}"
            )


def slot_for(most: int) -> int:
    """log2 of the words of the smallest slot for samples of at most so many words."""
    return max(LEAST_SLOT, (most - 1).bit_length())


@dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """What a store holds, from sample 0 on."""

    layout: StoreLayout
    codes: NDArray[np.uint16]
    """(k, features): the place of every value in its palette."""
    labels: NDArray[np.int64]
    """(k,) classes."""
    palettes: Palettes

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def encode(
        cls,
        layout: StoreLayout,
        features: NDArray[np.integer],
        labels: NDArray[np.integer],
        palettes: Palettes | None = None,
    ) -> Contents:
        """From encoded features (k, N_0) and labels (k,), with the palettes of these features unless given.

        Raises StoreError if they do not fit.
        """
        layout.check_samples(len(features))
        palettes = Palettes.of(layout.format, features) if palettes is None else palettes
        contents = cls(
            layout=layout,
            codes=palettes.encode(features),
            labels=np.asarray(labels, dtype=np.int64),
            palettes=palettes,
        )
        layout.check_samples(len(contents), contents.slot)
        return contents

    def equals(self, other: Contents) -> bool:
        """Both hold the same."""
        same = np.array_equal(self.codes, other.codes) and np.array_equal(self.labels, other.labels)
        return same and self.layout == other.layout and self.palettes.equals(other.palettes)

    @property
    def slot(self) -> int:
        """log2 of the words of a slot."""
        return slot_for(int(self.lengths.max(initial=1)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(k,): words of each sample."""
        return self._packed[1]

    @cached_property
    def words(self) -> dict[int, NDArray[np.uint32]]:
        """What is written, by address: the palettes, and every sample by itself."""
        words, lengths = self._packed
        starts = np.cumsum(lengths) - lengths
        pairs = (lengths + 1) // 2
        firsts = np.cumsum(pairs) - pairs
        halves = np.zeros(2 * int(pairs.sum()), dtype=np.uint16)
        halves[np.arange(len(words)) + np.repeat(2 * firsts - starts, lengths)] = words
        whole = halves[::2] | halves[1::2].astype(np.uint32) << np.uint32(16)
        step = 1 << self.slot - 1
        return {SAMPLE_PALETTES: self.palettes.words} | {
            STORE_WORDS + number * step: whole[first : first + count]
            for number, (first, count) in enumerate(zip(firsts.tolist(), pairs.tolist(), strict=True))
        }

    def samples(self, run: StoredRun) -> Samples:
        """What the core is fed in a run, in order. Raises StoreError if the run leaves the contents."""
        if run.first + run.count > len(self) or run.slot != self.slot:
            raise StoreError(
                f"samples {run.first} to {run.first + run.count - 1} are wanted from slots of {1 << run.slot} words, "
                f"and {len(self)} are stored in slots of {1 << self.slot}"
            )
        order = run.indices()
        if run.kind == SampleKind.TRAIN:
            return Samples.train(self.features(order), self.labels[order], run.rate)
        return Samples.evaluate(self.features(order), self.labels[order])

    def features(self, rows: NDArray[np.int64]) -> NDArray[np.signedinteger]:
        """(m, N_0): encoded features of some of the samples."""
        fmt = self.layout.format
        features = np.zeros((len(rows), fmt.left), dtype=integer_type(fmt.value_bits))
        features[:, : fmt.features] = self.palettes.decode(self.codes[rows])
        return features

    @cached_property
    def _packed(self) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
        return to_words(self.layout.format, self.codes, self.labels)
