"""Samples on the board: how a build's store is laid out, and what is written to it.

A stored feature is dictionary-encoded, a code: the number of its value in a palette. There is one palette for each
feature, or one for all. A row of the store's memory holds the codes of one transfer of the core's sample stream, or of
`fold` transfers if these are narrower than a 32-bit word; a sample is `rows` rows. Padding features are not stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import STORE_FEATURES, STORE_LABELS, STORE_PALETTES, row_stride
from presparse.contract.errors import StoreError
from presparse.contract.formats import integer_type
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind, StoredRun

Palettes = Literal["per feature", "shared"]

WORD_BITS = 32
BANK_BITS = 14
"""Address bits of a bank of the store, an ECP5 block RAM at its deepest: more words take further banks."""


@dataclass(frozen=True, kw_only=True)
class StoreLayout:
    """The store of a build."""

    samples: int
    """Samples that it holds."""
    bits: int
    """Of a code."""
    value_bits: int
    """Of a value in a palette: the activation format's."""
    palettes: Palettes
    features: int
    """Stored per sample: the user's."""
    left: int
    """Features that the core takes per sample, padding included."""
    port: int
    """Features per transfer."""

    @property
    def field_bits(self) -> int:
        """Bits that a code takes in a word of the features' region: the next power of two."""
        return 1 << (self.bits - 1).bit_length()

    @property
    def codes_per_word(self) -> int:
        return WORD_BITS // self.field_bits

    @property
    def transfers(self) -> int:
        """Transfers per sample that hold a stored feature; those behind them are zeros."""
        return -(-self.features // self.port)

    @property
    def fold(self) -> int:
        """Transfers per row."""
        return max(1, min(self.codes_per_word // self.port, self.transfers))

    @property
    def rows(self) -> int:
        """Rows per sample."""
        return -(-self.transfers // self.fold)

    @property
    def row_codes(self) -> int:
        """Codes in a row."""
        return self.port * self.fold

    @property
    def slices(self) -> int:
        """Words in a row."""
        return -(-self.row_codes // self.codes_per_word)

    @property
    def depth(self) -> int:
        """Rows in all."""
        return self.samples * self.rows

    @property
    def feature_words(self) -> int:
        """Words of the features' region: those of a row start at a multiple of a power of two."""
        return self.depth * row_stride(self.slices)

    @property
    def colors(self) -> int:
        """Values in a palette."""
        return 1 << self.bits

    @property
    def palette_depth(self) -> int:
        """Values that the palettes of one column of the port hold."""
        return self.colors * (self.transfers if self.palettes == "per feature" else 1)

    @property
    def palette_words(self) -> int:
        """Words of the palettes' region: transfer, then column (padded to a power of two), then code."""
        return self.palette_depth * (row_stride(self.port) if self.palettes == "per feature" else 1)

    def check_samples(self, count: int) -> None:
        """Raises StoreError if so many samples do not fit."""
        if count > self.samples:
            raise StoreError(f"the board's store holds {self.samples:,} samples, and these are {count:,}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """What a store holds, from sample 0 on."""

    layout: StoreLayout
    codes: NDArray[np.int64]
    """(k, features): the place of every value in its palette."""
    labels: NDArray[np.int64]
    """(k,) classes."""
    palettes: NDArray[np.int64]
    """(features, 2^bits), or (1, 2^bits) if shared: values of the activation format, 0 where unused."""

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def encode(cls, layout: StoreLayout, features: NDArray[np.integer], labels: NDArray[np.integer]) -> Contents:
        """From encoded features (k, N_0) and labels (k,). Raises StoreError if they do not fit."""
        layout.check_samples(len(features))
        if features[:, layout.features :].any():
            raise StoreError(
                f"the board's store holds the first {layout.features} input neurons, and a feature is in a later one; "
                "give the image a margin, so that fewer neurons are padding between features"
            )
        values = np.asarray(features[:, : layout.features], dtype=np.int64)
        columns = list(values.T) if layout.palettes == "per feature" else [values]
        palettes = np.zeros((len(columns), layout.colors), dtype=np.int64)
        codes = []
        for number, column in enumerate(columns):
            palette, places = np.unique(column, return_inverse=True)
            if len(palette) > layout.colors:
                which = f"feature {number} has" if layout.palettes == "per feature" else "all features have"
                raise StoreError(
                    f"the board's store tells {layout.colors} values apart ({layout.bits} bits, {layout.palettes}), "
                    f"and {which} {len(palette)}; build the board with store_bits = "
                    f"{(len(palette) - 1).bit_length()}, or round the features"
                )
            palettes[number, : len(palette)] = palette
            codes.append(places.reshape(column.shape))
        return cls(
            layout=layout,
            codes=np.stack(codes, axis=1) if layout.palettes == "per feature" else codes[0],
            labels=np.asarray(labels, dtype=np.int64),
            palettes=palettes,
        )

    def equals(self, other: Contents) -> bool:
        """Both hold the same."""
        pairs = ((self.codes, other.codes), (self.labels, other.labels), (self.palettes, other.palettes))
        return self.layout == other.layout and all(np.array_equal(a, b) for a, b in pairs)

    @cached_property
    def words(self) -> dict[int, NDArray[np.uint32]]:
        """The regions that are written, by address; of the samples' regions as much as is used."""
        return {
            STORE_PALETTES: self._palette_words(),
            STORE_LABELS: self.labels.astype(np.uint32),
            STORE_FEATURES: self._feature_words(),
        }

    def samples(self, run: StoredRun) -> Samples:
        """What the core is fed in a run, in order. Raises StoreError if the run leaves the contents."""
        if run.first + run.count > len(self):
            raise StoreError(
                f"samples {run.first} to {run.first + run.count - 1} are wanted, and {len(self)} are stored"
            )
        order = run.indices()
        features = np.zeros((run.count, self.layout.left), dtype=integer_type(self.layout.value_bits))
        codes = self.codes[order]
        own = np.arange(self.layout.features) if self.layout.palettes == "per feature" else 0
        features[:, : self.layout.features] = self.palettes[own, codes]
        if run.kind == SampleKind.TRAIN:
            return Samples.train(features, self.labels[order], run.rate)
        return Samples.evaluate(features, self.labels[order])

    def _feature_words(self) -> NDArray[np.uint32]:
        layout = self.layout
        codes = np.zeros((len(self), layout.rows * layout.row_codes), dtype=np.uint32)
        codes[:, : layout.features] = self.codes
        words = np.zeros((len(self) * layout.rows, row_stride(layout.slices), layout.codes_per_word), dtype=np.uint32)
        flat = words[:, : layout.slices].reshape(len(words), -1)  # a copy: the padding words are cut off
        flat[:, : layout.row_codes] = codes.reshape(len(words), layout.row_codes)
        words[:, : layout.slices] = flat.reshape(len(words), layout.slices, layout.codes_per_word)
        shifts = np.arange(layout.codes_per_word, dtype=np.uint32) * np.uint32(layout.field_bits)
        return np.bitwise_or.reduce(words << shifts, axis=2).reshape(-1).astype(np.uint32)

    def _palette_words(self) -> NDArray[np.uint32]:
        layout = self.layout
        values = self.palettes & ((1 << layout.value_bits) - 1)
        if layout.palettes == "shared":
            return values.reshape(-1).astype(np.uint32)
        palettes = np.zeros((layout.transfers * layout.port, layout.colors), dtype=np.int64)
        palettes[: layout.features] = values
        words = np.zeros((layout.transfers, row_stride(layout.port), layout.colors), dtype=np.int64)
        words[:, : layout.port] = palettes.reshape(layout.transfers, layout.port, layout.colors)
        return words.reshape(-1).astype(np.uint32)
