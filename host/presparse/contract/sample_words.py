"""Samples as words: compressed, the same on the link, in a board's store and in the reference.

A feature becomes a code of b bits: the number of its value in a palette, one palette for each feature or one for all.
Code 0 is the value that a feature has most often, so that what is common costs nothing, zero or not. Codes are packed
into *blocks* of one 16-bit word each; of these, only the blocks that are not all 0 are kept:

    header   label | length << label bits        (length: all words of the sample; two words if they do not fit one)
    then, for every `mask_blocks` blocks, in order:
    mask     bit i: block i of these is kept
    blocks   those that are kept, in order

Features come in the order of input neurons, from the first to the last that has a feature; a block never holds
features of two transfers of the core's sample stream, nor a mask blocks of one transfer and a part of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import row_stride
from presparse.contract.errors import SampleError, StoreError

PaletteKind = Literal["per feature", "shared"]

WORD_BITS = 16
"""Of a sample word. The host reads and writes pairs of them, the first one in the lower half."""
MOST_BITS = WORD_BITS
"""Of a code."""
_AT_ONCE = 256
"""Samples that are packed together: what they take stays within a processor's cache."""
_TABLE_BITS = 12
"""Values are looked up in a table if they have at most so many bits, else searched for."""


def block_features(bits: int, port: int) -> int:
    """Features per block: as many codes as fit a word, in blocks that fill a transfer of `port` features."""
    return next(k for k in range(min(WORD_BITS // bits, port), 0, -1) if port % k == 0)


@dataclass(frozen=True, kw_only=True)
class SampleFormat:
    """How a build's samples are packed."""

    bits: int
    """Of a code."""
    value_bits: int
    """Of a value in a palette: the activation format's."""
    palettes: PaletteKind
    features: int
    """Packed per sample: input neurons from the first to the last that has a feature."""
    left: int
    """Features that the core takes per sample, padding included; those that are not packed are 0."""
    port: int
    """Features per transfer of the core's sample stream."""
    classes: int

    @property
    def colors(self) -> int:
        """Values in a palette."""
        return 1 << self.bits

    @property
    def transfers(self) -> int:
        """Transfers per sample that hold a packed feature; those behind them are zeros."""
        return -(-self.features // self.port)

    @cached_property
    def block_features(self) -> int:
        """Features per block."""
        return block_features(self.bits, self.port)

    @property
    def transfer_blocks(self) -> int:
        """Blocks per transfer."""
        return self.port // self.block_features

    @property
    def blocks(self) -> int:
        """Blocks per sample; codes beyond the last feature are 0."""
        return self.transfers * self.transfer_blocks

    @cached_property
    def mask_blocks(self) -> int:
        """Blocks per mask: those of whole transfers, or of a whole part of one."""
        if self.transfer_blocks <= WORD_BITS:
            return WORD_BITS // self.transfer_blocks * self.transfer_blocks
        return next(n for n in range(WORD_BITS, 0, -1) if self.transfer_blocks % n == 0)

    @property
    def masks(self) -> int:
        """Masks per sample."""
        return -(-self.blocks // self.mask_blocks)

    @property
    def label_bits(self) -> int:
        return max(1, (self.classes - 1).bit_length())

    @property
    def header_words(self) -> int:
        """1, or 2 if length and label do not fit one: the length, then the label."""
        return 1 if self.label_bits + (1 + self.masks + self.blocks).bit_length() <= WORD_BITS else 2

    @property
    def length_shift(self) -> int:
        """Bits of the first word below the length."""
        return self.label_bits if self.header_words == 1 else 0

    @property
    def least_words(self) -> int:
        """Words of a sample without a block."""
        return self.header_words + self.masks

    @property
    def most_words(self) -> int:
        """Words of a sample with all blocks."""
        return self.least_words + self.blocks

    @property
    def palette_depth(self) -> int:
        """Values that the palettes of one column of the port hold."""
        return self.colors * (self.transfers if self.palettes == "per feature" else 1)

    @property
    def palette_words(self) -> int:
        """Words of the palettes' region: transfer, then column (padded to a power of two), then code."""
        return self.palette_depth * (row_stride(self.port) if self.palettes == "per feature" else 1)


@dataclass(frozen=True, eq=False)
class Palettes:
    """The values that codes stand for."""

    format: SampleFormat
    values: NDArray[np.int64]
    """(features, 2^bits), or (1, 2^bits) if shared: of the activation format, 0 where unused."""
    counts: NDArray[np.int64]
    """(features,) or (1,): values of each that are used, the first ones."""

    @classmethod
    def of(cls, fmt: SampleFormat, features: NDArray[np.integer]) -> Palettes:
        """For encoded features (k, N_0): what they are, the most frequent first, the others ascending.

        Raises StoreError if they are too many, or a feature is beyond those that are packed.
        """
        packed = _packed(fmt, features)
        columns = packed.T if fmt.palettes == "per feature" else packed.reshape(1, -1)
        values = np.zeros((len(columns), fmt.colors), dtype=np.int64)
        counts = np.zeros(len(columns), dtype=np.int64)
        for number, column in enumerate(columns):
            found, times = np.unique(column, return_counts=True)
            if len(found) > fmt.colors:
                which = f"feature {number} has" if fmt.palettes == "per feature" else "all features have"
                raise StoreError(
                    f"the board's sample words tell {fmt.colors} values apart ({fmt.bits} bits, {fmt.palettes}), and "
                    f"{which} {len(found)}; build the board with sample_bits = {(len(found) - 1).bit_length()}, or "
                    "round the features"
                )
            first = int(times.argmax()) if len(found) else 0
            values[number, : len(found)] = np.concatenate([found[first : first + 1], np.delete(found, first)])
            counts[number] = len(found)
        return cls(fmt, values, counts)

    def encode(self, features: NDArray[np.integer]) -> NDArray[np.uint16]:
        """Codes (k, features) of encoded features (k, N_0). Raises StoreError if one has a value of no palette."""
        packed = _packed(self.format, features)
        codes = self._looked_up(packed) if self.format.value_bits <= _TABLE_BITS else self._searched(packed)
        strange = codes >= self.format.colors
        if strange.any():
            sample, number = (int(i) for i in np.argwhere(strange)[0])
            raise StoreError(
                f"sample {sample} has {int(packed[sample, number])} in feature {number}, which is none of the "
                f"{int(self.counts[number if len(self.counts) > 1 else 0])} values of its palette; fit palettes to "
                "these samples too, or send them uncompressed"
            )
        return codes.astype(np.uint16)

    def pack(
        self, features: NDArray[np.integer], labels: NDArray[np.integer]
    ) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
        """The words of samples, and how many each has: `to_words` of `encode`, but for that only the blocks that are
        kept are looked up. Features (k, N_0), labels (k,). Raises StoreError, SampleError.
        """
        fmt = self.format
        _check_labels(fmt, labels)
        if fmt.value_bits > _TABLE_BITS:
            return to_words(fmt, self.encode(features), labels)
        packed = _packed(fmt, features)
        parts = [self._pack(packed[part], labels[part]) for part in _parts(len(packed))]
        if any(part is None for part in parts):
            self.encode(features)  # which says what is wrong
        return _joined(part for part in parts if part is not None)

    def decode(self, codes: NDArray[np.integer]) -> NDArray[np.int64]:
        """(k, features) values of codes (k, features)."""
        own = np.arange(self.format.features) if self.format.palettes == "per feature" else 0
        return self.values[own, codes]

    def equals(self, other: Palettes) -> bool:
        return self.format == other.format and np.array_equal(self.values, other.values)

    @cached_property
    def words(self) -> NDArray[np.uint32]:
        """The palettes' region; what stands for no feature is 0."""
        fmt = self.format
        values = self.values & ((1 << fmt.value_bits) - 1)
        if fmt.palettes == "shared":
            return values.reshape(-1).astype(np.uint32)
        padded = np.zeros((fmt.transfers * fmt.port, fmt.colors), dtype=np.int64)
        padded[: fmt.features] = values
        words = np.zeros((fmt.transfers, row_stride(fmt.port), fmt.colors), dtype=np.int64)
        words[:, : fmt.port] = padded.reshape(fmt.transfers, fmt.port, fmt.colors)
        return words.reshape(-1).astype(np.uint32)

    @cached_property
    def _table(self) -> NDArray[np.uint16]:
        """(palettes + 1, 2^value_bits): the code of every value, or one too many; the last row is for what is no
        feature."""
        size = 1 << self.format.value_bits
        table = np.full((len(self.values) + 1, size), self.format.colors, dtype=np.uint16)
        table[-1] = 0
        for row, values, count in zip(table, self.values, self.counts, strict=False):
            row[values[:count] & (size - 1)] = np.arange(count)
        return table

    @cached_property
    def _rows(self) -> NDArray[np.int32]:
        """(blocks, block_features): where the table's row of every code begins."""
        fmt = self.format
        own = np.arange(fmt.blocks * fmt.block_features)
        row = np.where(own < fmt.features, own if len(self.values) > 1 else 0, len(self.values))
        return (row << fmt.value_bits).astype(np.int32).reshape(fmt.blocks, fmt.block_features)

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Which block of a sample each of those of many samples is."""
        return np.tile(np.arange(self.format.blocks), _AT_ONCE)

    @cached_property
    def _common(self) -> NDArray[np.int64]:
        """(blocks, block_features): the value of code 0."""
        fmt = self.format
        common = np.zeros(fmt.blocks * fmt.block_features, dtype=np.int64)
        common[: fmt.features] = self.values[:, 0]
        return common.reshape(fmt.blocks, fmt.block_features)

    def _pack(
        self, packed: NDArray[np.integer], labels: NDArray[np.integer]
    ) -> tuple[NDArray[np.uint16], NDArray[np.int64]] | None:
        """A few samples (m, features); None if one has a value of no palette."""
        fmt = self.format
        values = np.empty((len(packed), fmt.blocks * fmt.block_features), dtype=packed.dtype)
        values[:, : fmt.features] = packed
        values[:, fmt.features :] = 0
        values = values.reshape(len(packed), fmt.blocks, fmt.block_features)
        kept = _any_in_blocks(values != self._common.astype(packed.dtype))
        there = np.flatnonzero(kept)
        found = values.reshape(-1, fmt.block_features).take(there, axis=0)
        half = 1 << fmt.value_bits - 1
        if found.size and not -half <= int(found.min()) <= int(found.max()) < half:
            return None
        rows = self._rows.take(self._places.take(there), axis=0)
        codes = self._table.reshape(-1).take(rows + (found & (2 * half - 1)))
        if codes.max(initial=0) >= fmt.colors:
            return None
        return _assembled(fmt, kept, _blocks_of(fmt, codes), labels)

    def _looked_up(self, packed: NDArray[np.integer]) -> NDArray[np.int32]:
        size = 1 << self.format.value_bits
        outside = (packed < -(size >> 1)) | (packed >= size >> 1)
        own = np.arange(packed.shape[1]) if len(self.values) > 1 else 0
        return np.where(outside, self.format.colors, self._table[own, packed & (size - 1)]).astype(np.int32)

    def _searched(self, packed: NDArray[np.integer]) -> NDArray[np.int32]:
        codes = np.full(packed.shape, self.format.colors, dtype=np.int32)
        for number, column in enumerate(packed.T):
            palette = number if len(self.values) > 1 else 0
            used = self.values[palette, : self.counts[palette]]
            order = np.argsort(used)
            places = np.minimum(np.searchsorted(used[order], column), max(0, len(used) - 1))
            if len(used):
                codes[:, number] = np.where(used[order][places] == column, order[places], self.format.colors)
        return codes


def to_words(
    fmt: SampleFormat, codes: NDArray[np.integer], labels: NDArray[np.integer]
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The words of samples, one after the other, and how many each has (k,); codes (k, features), labels (k,).

    Raises SampleError for codes or labels out of range.
    """
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < fmt.colors:
        raise SampleError(f"codes must be 0 to {fmt.colors - 1}, and are {int(codes.min())} to {int(codes.max())}")
    _check_labels(fmt, labels)
    return _joined(_packed_words(fmt, codes[part], labels[part]) for part in _parts(len(codes)))


def from_words(fmt: SampleFormat, words: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Codes (k, features) and labels (k,) of the words of whole samples, one after the other.

    Raises SampleError, naming the sample and what is wrong, for words that `to_words` never gives.
    """
    starts, labels = [], []
    at, numbers = 0, words.astype(np.int64)
    while at < len(numbers):
        length = int(numbers[at]) >> fmt.length_shift
        if not fmt.least_words <= length <= fmt.most_words:
            raise SampleError(
                f"sample {len(starts)} says that it has {length} words; it must have {fmt.least_words} to "
                f"{fmt.most_words}"
            )
        if at + length > len(numbers):
            raise SampleError(f"sample {len(starts)} has {length} words, and {len(numbers) - at} are there")
        label = int(numbers[at]) & ((1 << fmt.label_bits) - 1) if fmt.header_words == 1 else int(numbers[at + 1])
        if label >= fmt.classes:
            raise SampleError(f"sample {len(starts)} has label {label}; it must be 0 to {fmt.classes - 1}")
        starts.append(at)
        labels.append(label)
        at += length
    codes = _unpacked(fmt, numbers, np.array(starts, dtype=np.int64), at)
    return codes, np.array(labels, dtype=np.int64)


def _parts(count: int) -> Iterator[slice]:
    return (slice(first, first + _AT_ONCE) for first in range(0, count, _AT_ONCE))


def _packed(fmt: SampleFormat, features: NDArray[np.integer]) -> NDArray[np.integer]:
    """(k, features) of (k, N_0). Raises StoreError if what is cut off is not 0."""
    if features[:, fmt.features :].any():
        raise StoreError(
            f"the board's sample words hold the first {fmt.features} input neurons, and a feature is in a later one; "
            "give the image a margin, so that fewer neurons are padding between features"
        )
    return features[:, : fmt.features]


def _check_labels(fmt: SampleFormat, labels: NDArray[np.integer]) -> None:
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < fmt.classes:
        raise SampleError(f"labels must be 0 to {fmt.classes - 1}, and are {int(labels.min())} to {int(labels.max())}")


def _joined(
    parts: Iterable[tuple[NDArray[np.uint16], NDArray[np.int64]]],
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Words and lengths of all parts together."""
    none = np.zeros(0, dtype=np.uint16), np.zeros(0, dtype=np.int64)
    words, lengths = zip(none, *parts, strict=True)
    return np.concatenate(words), np.concatenate(lengths)


def _packed_words(
    fmt: SampleFormat, codes: NDArray[np.integer], labels: NDArray[np.integer]
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """A few samples."""
    padded = np.zeros((len(codes), fmt.blocks * fmt.block_features), dtype=np.uint16)
    padded[:, : fmt.features] = codes
    blocks = _blocks_of(fmt, padded.reshape(-1, fmt.block_features)).reshape(len(codes), fmt.blocks)
    kept = blocks != 0
    return _assembled(fmt, kept, blocks[kept], labels)


def _any_in_blocks(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(m, blocks) of (m, blocks, block_features): whether there is one in a block."""
    features = found.shape[2]
    if features in (1, 2, 4, 8):
        return found.view(f"u{features}")[..., 0].astype(bool)  # all of a block at once
    return np.any(found, axis=2)


def _blocks_of(fmt: SampleFormat, codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(n,) of codes (n, block_features)."""
    blocks = codes[:, 0].copy()
    for i in range(1, fmt.block_features):
        blocks |= codes[:, i] << np.uint16(i * fmt.bits)
    return blocks


@cache
def _ones() -> NDArray[np.int64]:
    """(2^16,): bits of every word that are 1."""
    words = np.arange(1 << WORD_BITS, dtype="<u2").view(np.uint8).reshape(-1, 2)
    return np.unpackbits(words, axis=1).sum(1, np.int64)


def _assembled(
    fmt: SampleFormat, kept: NDArray[np.bool_], blocks: NDArray[np.uint16], labels: NDArray[np.integer]
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Headers, masks and blocks, each in its place: `kept` (m, blocks) says which blocks are there, in this order."""
    count = len(kept)
    grouped = np.zeros((count, fmt.masks * fmt.mask_blocks), dtype=bool)
    grouped[:, : fmt.blocks] = kept
    bits = np.zeros((count, fmt.masks, WORD_BITS), dtype=bool)
    bits[..., : fmt.mask_blocks] = grouped.reshape(count, fmt.masks, fmt.mask_blocks)
    masks = np.packbits(bits.reshape(-1), bitorder="little").view("<u2")  # (m * masks,)
    behind = _ones()[masks]
    lengths = fmt.least_words + behind.reshape(count, fmt.masks).sum(axis=1, dtype=np.int64)

    # The words before a mask: the headers, the masks and the blocks so far; before a block: its own mask, too.
    number = np.arange(len(masks))
    headers_and_masks = (number // fmt.masks + 1) * fmt.header_words + number
    words = np.empty(int(lengths.sum()), dtype=np.uint16)
    words[headers_and_masks + np.cumsum(behind) - behind] = masks
    words[np.repeat(headers_and_masks + 1, behind) + np.arange(len(blocks))] = blocks
    starts = np.cumsum(lengths) - lengths
    if fmt.header_words == 1:
        words[starts] = labels | lengths << fmt.label_bits
    else:
        words[starts], words[starts + 1] = lengths, labels
    return words, lengths


def _unpacked(fmt: SampleFormat, words: NDArray[np.int64], starts: NDArray[np.int64], end: int) -> NDArray[np.uint16]:
    """Codes (k, features) of samples that begin at `starts`, mask by mask, all samples at once."""
    ends = np.append(starts[1:], end)
    codes = np.zeros((len(starts), fmt.masks * fmt.mask_blocks, fmt.block_features), dtype=np.uint16)
    at = starts + fmt.header_words
    for number in range(fmt.masks):
        first = number * fmt.mask_blocks
        within = at < ends
        mask = np.where(within, words[np.minimum(at, end - 1)], 0) if len(starts) else at
        strange = mask >> min(fmt.mask_blocks, fmt.blocks - first)
        kept = mask[:, None] >> np.arange(fmt.mask_blocks) & 1
        places = at[:, None] + np.cumsum(kept, axis=1)
        at = at + 1 + kept.sum(axis=1)
        wrong = ~within | (strange != 0) | (at > ends)
        if wrong.any():
            sample = int(wrong.argmax())
            raise SampleError(
                f"sample {sample} ends within mask {number} of {fmt.masks}, or the mask has bits of no block; its "
                f"{int(ends[sample] - starts[sample])} words are not what its header says"
            )
        rows, columns = np.nonzero(kept)
        blocks = words[places[rows, columns]]
        strange = (blocks == 0) | (blocks >> (fmt.bits * fmt.block_features) != 0)
        if strange.any():
            raise SampleError(
                f"sample {int(rows[strange.argmax()])} has a block that is 0, or with bits above its codes, behind "
                f"mask {number}"
            )
        for i in range(fmt.block_features):
            codes[rows, first + columns, i] = blocks >> (i * fmt.bits) & (fmt.colors - 1)
    if (at != ends).any():
        sample = int((at != ends).argmax())
        raise SampleError(
            f"sample {sample} says that it has {int(ends[sample] - starts[sample])} words, and its masks say "
            f"{int(at[sample] - starts[sample])}"
        )
    flat = codes.reshape(len(starts), codes.shape[1] * codes.shape[2])
    if flat[:, fmt.features :].any():
        sample = int(flat[:, fmt.features :].any(axis=1).argmax())
        raise SampleError(f"sample {sample} has codes behind its last feature, {fmt.features - 1}")
    return flat[:, : fmt.features]
