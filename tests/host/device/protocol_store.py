"""A sample store in pure Python, written from docs/protocol.md (Runs, Addresses) alone."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build

FEATURES, LABELS, PALETTES = 0xFD, 0xFE, 0xFF


class ProtocolStore:
    """Words in, samples out."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.samples = build.store_samples
        self.bits = build.store_bits
        self.port = build.feature_port
        self.shared = build.store_palettes == "shared"
        self.features = build.network.features
        self.field = power_of_two(self.bits)
        self.per_word = 32 // self.field
        self.transfers = -(-self.features // self.port)
        self.row = self.port * min(max(1, self.per_word // self.port), self.transfers)
        self.row_words = power_of_two(-(-self.row // self.per_word))
        self.rows = -(-self.transfers * self.port // self.row)
        columns = 1 if self.shared else self.transfers * power_of_two(self.port)
        self.words = {
            FEATURES: np.zeros(self.samples * self.rows * self.row_words, np.uint32),
            LABELS: np.zeros(self.samples, np.uint32),
            PALETTES: np.zeros(columns << self.bits, np.uint32),
        }

    def write(self, region: int, offset: int, data: NDArray[np.uint32]) -> bool:
        """Whether the words exist."""
        words = self.words.get(region)
        if words is None or offset + len(data) > len(words):
            return False
        for place, word in enumerate(data.tolist(), start=offset):
            words[place] = self._kept(region, place, word)
        return True

    def read(self, region: int, offset: int, count: int) -> NDArray[np.uint32] | None:
        words = self.words.get(region)
        return None if words is None or offset + count > len(words) else words[offset : offset + count].copy()

    def sample(self, number: int) -> tuple[list[int], int]:
        """Features (N_0) and label."""
        features = [0] * self.build.network.layers[0]
        width = self.build.network.formats.activation.width
        for index in range(self.features):
            row, place = divmod(index, self.row)
            word, position = divmod(place, self.per_word)
            codes = int(self.words[FEATURES][(number * self.rows + row) * self.row_words + word])
            code = codes >> position * self.field & (1 << self.bits) - 1
            transfer, column = divmod(index, self.port)
            palette = 0 if self.shared else (transfer * power_of_two(self.port) + column) << self.bits
            value = int(self.words[PALETTES][palette + code])
            features[index] = value - (1 << width) if value >> width - 1 else value
        return features, int(self.words[LABELS][number])

    def run(self, payload: bytes) -> tuple[int, int, list[int]] | None:
        """Kind, rate exponent and samples in order; None for a bad run."""
        kind, rate, order, zero, first, count, seed = struct.unpack("<BBBBIII", payload)
        rates = self.build.network.rates
        training = kind == 2 and self.build.mode == "train" and rates.least <= rate <= rates.most
        good = training or (kind == 3 and rate == 0)
        if not good or order > 1 or zero or count == 0 or first + count > self.samples:
            return None
        places = permuted(count, seed) if order else range(count)
        return kind, rate, [first + place for place in places]

    def _kept(self, region: int, place: int, word: int) -> int:
        """What of a word is stored."""
        if region == LABELS:
            return word & (1 << max(1, (self.build.network.classes - 1).bit_length())) - 1
        if region == PALETTES:
            column = 0 if self.shared else (place >> self.bits) % power_of_two(self.port)
            return word & (1 << self.build.network.formats.activation.width) - 1 if column < self.port else 0
        codes = min(self.per_word, self.row - place % self.row_words * self.per_word)
        return sum(word & (1 << self.bits) - 1 << i * self.field for i in range(codes))


def power_of_two(number: int) -> int:
    """Rounded up."""
    return 1 << (number - 1).bit_length()


def permuted(count: int, seed: int) -> list[int]:
    """The order that a seed chooses."""
    low = (1 << (count - 1).bit_length()) - 1
    order = []
    for x in range(low + 1):
        turned = seed
        for s, a in ((1, 5), (4, 5), (1, 1), (2, 2), (2, 3), (4, 2)):
            y = x ^ x >> s ^ turned & low
            x = y + (y << a) & low
            turned = turned >> 11 | (turned & 2047) << 21
        if x < count:
            order.append(x)
    return order
