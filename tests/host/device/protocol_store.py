"""A sample store in pure Python, written from docs/protocol.md (Runs, Addresses, Sample words) alone."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build

WORDS, PALETTES = 0xFE, 0xFF


class ProtocolStore:
    """Words in, samples out."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.bits = build.sample_bits
        self.port = build.feature_port
        self.shared = build.sample_palettes == "shared"
        self.features = build.network.features
        blocks = -(-self.features // self.port) * (self.port // block_codes(self.bits, self.port))
        masks = -(-blocks // mask_blocks(self.bits, self.port))
        bits = (build.network.classes - 1).bit_length() or 1
        header = 1 if bits + (1 + masks + blocks).bit_length() <= 16 else 2
        self.largest = power_of_two(header + masks + blocks)
        columns = 1 if self.shared else -(-self.features // self.port) * power_of_two(self.port)
        self.words = {PALETTES: np.zeros(columns << self.bits, np.uint32)}
        if build.store_samples:
            self.words[WORDS] = np.zeros(build.store_samples * self.largest // 2, np.uint32)

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

    def sample(self, number: int, slot: int) -> tuple[list[int], int]:
        """Features (N_0) and label of a stored sample. Raises ValueError if its words are no sample's."""
        halves = self.words[WORDS].astype("<u4").view("<u2").tolist()
        words = halves[number << slot :]
        return self.decoded(words[: self.length(words[0])])

    def length(self, first: int) -> int:
        """Words of a sample, as its first one says."""
        return first >> ((self.build.network.classes - 1).bit_length() or 1 if self._header_words() == 1 else 0)

    def decoded(self, words: list[int]) -> tuple[list[int], int]:
        """Features (N_0) and label of a sample's words, by the palettes. Raises ValueError."""
        codes, label = sample_of_words(
            words, bits=self.bits, port=self.port, features=self.features, classes=self.build.network.classes
        )
        width = self.build.network.formats.activation.width
        features = [0] * self.build.network.layers[0]
        for index, code in enumerate(codes):
            transfer, column = divmod(index, self.port)
            palette = 0 if self.shared else (transfer * power_of_two(self.port) + column) << self.bits
            value = int(self.words[PALETTES][palette + code])
            features[index] = value - (1 << width) if value >> width - 1 else value
        return features, label

    def run(self, payload: bytes) -> tuple[int, int, int, list[int]] | None:
        """Kind, rate exponent, slot and samples in order; None for a bad run."""
        kind, rate, order, slot, first, count, seed = struct.unpack("<BBBBIII", payload)
        rates = self.build.network.rates
        training = kind == 2 and self.build.mode == "train" and rates.least <= rate <= rates.most
        good = training or (kind == 3 and rate == 0)
        if not good or order > 1 or count == 0 or slot < 1 or 1 << slot > self.largest:
            return None
        if (first + count) << slot > 2 * len(self.words[WORDS]):
            return None
        places = permuted(count, seed) if order else range(count)
        return kind, rate, slot, [first + place for place in places]

    def _header_words(self) -> int:
        return header_words(bits=self.bits, port=self.port, features=self.features, classes=self.build.network.classes)

    def _kept(self, region: int, place: int, word: int) -> int:
        """What of a word is stored."""
        if region == PALETTES:
            column = 0 if self.shared else (place >> self.bits) % power_of_two(self.port)
            return word & (1 << self.build.network.formats.activation.width) - 1 if column < self.port else 0
        return word


def block_codes(bits: int, port: int) -> int:
    """Codes in a block."""
    return max(k for k in range(1, port + 1) if port % k == 0 and k * bits <= 16)


def mask_blocks(bits: int, port: int) -> int:
    """Blocks that a mask stands for."""
    blocks = port // block_codes(bits, port)
    return max(m for m in range(1, 17) if m % blocks == 0 or (blocks > 16 and blocks % m == 0))


def header_words(*, bits: int, port: int, features: int, classes: int) -> int:
    """Words before the first mask."""
    blocks = -(-features // port) * (port // block_codes(bits, port))
    most = 1 + -(-blocks // mask_blocks(bits, port)) + blocks
    return 1 if ((classes - 1).bit_length() or 1) + most.bit_length() <= 16 else 2


def sample_of_words(words: list[int], *, bits: int, port: int, features: int, classes: int) -> tuple[list[int], int]:
    """Codes (features) and label. Raises ValueError for words of no sample."""
    label_bits = (classes - 1).bit_length() or 1
    if header_words(bits=bits, port=port, features=features, classes=classes) == 1:
        label, length, rest = words[0] % (1 << label_bits), words[0] >> label_bits, words[1:]
    else:
        length, label, rest = words[0], words[1], words[2:]
    codes: list[int] = []
    blocks = -(-features // port) * (port // block_codes(bits, port))
    for first in range(0, blocks, mask_blocks(bits, port)):
        mask, rest = rest[0], rest[1:]
        for i in range(min(mask_blocks(bits, port), blocks - first)):
            block = 0
            if mask >> i & 1:
                block, rest = rest[0], rest[1:]
            codes += [block >> bits * k & (1 << bits) - 1 for k in range(block_codes(bits, port))]
    if rest or length != len(words) or label >= classes:
        raise ValueError(f"{len(words)} words with length {length} and label {label} are no sample")
    return codes[:features], label


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
