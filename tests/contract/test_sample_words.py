"""Sample words: by hand, there and back, and words that stand for no sample."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presparse.contract.errors import SampleError, StoreError
from presparse.contract.sample_words import Palettes, SampleFormat, from_words, to_words
from tests.host.device.protocol_store import sample_of_words

PaletteKind = Literal["per feature", "shared"]


def fmt(
    *, bits: int = 4, features: int = 22, left: int = 24, port: int = 8, classes: int = 3,
    palettes: PaletteKind = "per feature", value_bits: int = 10,
) -> SampleFormat:  # fmt: skip
    return SampleFormat(
        bits=bits, value_bits=value_bits, palettes=palettes, features=features, left=left, port=port, classes=classes
    )


@st.composite
def formats(draw: st.DrawFn) -> SampleFormat:
    port = draw(st.sampled_from([1, 2, 3, 4, 6, 12, 16, 20, 24, 64, 72, 136]))
    transfers = draw(st.integers(1, 5))
    features = draw(st.integers(1, transfers * port))
    return fmt(
        bits=draw(st.integers(1, 10)),
        features=features,
        left=transfers * port,
        port=port,
        classes=draw(st.sampled_from([2, 3, 10, 300, 5000])),
    )


@settings(deadline=None, max_examples=150)
@given(own=formats(), seed=st.integers(0, 2**32 - 1), density=st.sampled_from([0, 0.1, 0.5, 1]))
def test_there_and_back(own: SampleFormat, seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(own.colors, size=(5, own.features)) * (rng.random((5, own.features)) < density)
    labels = rng.integers(own.classes, size=5)
    words, lengths = to_words(own, codes, labels)
    assert words.dtype == np.uint16
    assert len(words) == lengths.sum()
    assert own.least_words <= lengths.min()
    assert lengths.max() <= own.most_words
    found, found_labels = from_words(own, words)
    assert np.array_equal(found, codes)
    assert np.array_equal(found_labels, labels)
    starts = np.cumsum(lengths) - lengths
    for number in range(5):  # an independent reader, of docs/protocol.md's words alone
        one = words[starts[number] : starts[number] + lengths[number]].tolist()
        read = sample_of_words(one, bits=own.bits, port=own.port, features=own.features, classes=own.classes)
        assert read == (codes[number].tolist(), labels[number])


def test_by_hand() -> None:
    """Blocks of 4 codes, 2 to a transfer; one mask for all 6."""
    own = fmt()
    assert (own.block_features, own.transfer_blocks, own.blocks, own.mask_blocks, own.masks) == (4, 2, 6, 16, 1)
    assert (own.label_bits, own.header_words, own.most_words) == (2, 1, 8)
    codes = np.zeros((2, 22), dtype=np.int64)
    codes[0, [0, 5, 21]] = 1, 2, 3
    words, lengths = to_words(own, codes, np.array([2, 1]))
    assert lengths.tolist() == [5, 2]
    assert [f"{word:04x}" for word in words] == ["0016", "0023", "0001", "0020", "0030", "0009", "0000"]


def test_masks_of_wide_transfers() -> None:
    """32 blocks in a transfer: two masks of 16 for each. 3 in one: a mask takes the 15 of five whole transfers."""
    assert (fmt(port=128, left=256, features=256).mask_blocks, fmt(port=128, left=256, features=256).masks) == (16, 4)
    assert (fmt(port=12, left=96, features=90).mask_blocks, fmt(port=12, left=96, features=90).masks) == (15, 2)
    assert fmt(port=136, left=136, features=136).mask_blocks == 2  # 34 blocks


def test_a_long_header() -> None:
    own = fmt(features=4000, left=4000, port=8, classes=100)
    assert (own.header_words, own.length_shift) == (2, 0)
    words, _ = to_words(own, np.zeros((1, 4000), dtype=np.int64), np.array([77]))
    assert words[:2].tolist() == [len(words), 77]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([0x001A, 0x23, 1, 0x20, 0x30], "sample 0 has 6 words, and 5 are there"),
        ([0x0001, 0, 0], "sample 0 says that it has 0 words; it must have 2 to 8"),
        ([0x000B, 0], "sample 0 has label 3; it must be 0 to 2"),
        ([0x0008, 0x8000], "sample 0 ends within mask 0 of 1, or the mask has bits of no block"),
        ([0x0008, 0x0003], "sample 0 ends within mask 0 of 1"),
        ([0x0010, 0x0001, 5, 7], "sample 0 says that it has 4 words, and its masks say 3"),
        ([0x000C, 0x0001, 0], "sample 0 has a block that is 0"),
        ([0x000C, 0x0020, 0x0100], "sample 0 has codes behind its last feature, 21"),
        ([0x0009, 0, 0x0008, 0x0003], "sample 1 ends within mask 0"),
    ],
)
def test_words_of_no_sample(words: list[int], told: str) -> None:
    with pytest.raises(SampleError, match=told):
        from_words(fmt(), np.array(words, dtype=np.uint16))


def test_bits_above_the_codes() -> None:
    with pytest.raises(SampleError, match="bits above its codes, behind mask 0"):
        from_words(fmt(bits=5), np.array([0x0C, 1, 0x8001], dtype=np.uint16))


@settings(deadline=None, max_examples=200)
@given(words=st.lists(st.integers(0, 0xFFFF), max_size=12), own=formats())
def test_any_words_are_read_or_refused(words: list[int], own: SampleFormat) -> None:
    given_words = np.array(words, dtype=np.uint16)
    try:
        codes, labels = from_words(own, given_words)
    except SampleError:
        return
    again, _ = to_words(own, codes, labels)
    assert np.array_equal(again, given_words)


def test_codes_and_labels_out_of_range() -> None:
    with pytest.raises(SampleError, match="codes must be 0 to 15, and are 0 to 16"):
        to_words(fmt(), np.array([[16, *[0] * 21]]), np.array([0]))
    with pytest.raises(SampleError, match="labels must be 0 to 2, and are 3 to 3"):
        to_words(fmt(), np.zeros((1, 22), dtype=np.int64), np.array([3]))


@pytest.mark.parametrize("value_bits", [10, 18])  # looked up, searched for
@pytest.mark.parametrize("palettes", ["per feature", "shared"])
def test_palettes(palettes: PaletteKind, value_bits: int) -> None:
    own = fmt(bits=3, palettes=palettes, value_bits=value_bits)
    rng = np.random.default_rng(1)
    values = np.zeros((40, 24), dtype=np.int16)
    values[:, :22] = rng.choice([-500, -3, 0, 7, 400], p=[0.1, 0.1, 0.1, 0.6, 0.1], size=(40, 22))
    found = Palettes.of(own, values)
    assert found.values.shape == ((22 if palettes == "per feature" else 1), 8)
    assert (found.values[:, 0] == 7).all()  # the most frequent value
    codes = found.encode(values)
    assert np.array_equal(found.decode(codes), values[:, :22])
    assert found.equals(Palettes.of(own, values[::-1]))
    values[3, 21] = 8
    with pytest.raises(StoreError, match="sample 3 has 8 in feature 21, which is none of the 5 values"):
        found.encode(values)
    values[3, 23] = 1
    with pytest.raises(StoreError, match="hold the first 22 input neurons, and a feature is in a later one"):
        found.encode(values)


@settings(deadline=None, max_examples=30)
@given(
    own=formats(),
    palettes=st.sampled_from(["per feature", "shared"]),
    value_bits=st.sampled_from([8, 10, 18]),
    seed=st.integers(0, 2**32 - 1),
    common=st.sampled_from([0, 0.8, 1]),
)
def test_packing_is_encoding_and_words(
    own: SampleFormat, palettes: PaletteKind, value_bits: int, seed: int, common: float
) -> None:
    own = replace(own, palettes=palettes, value_bits=value_bits)
    rng = np.random.default_rng(seed)
    half = 1 << value_bits - 1
    values = rng.integers(-half, half, size=min(own.colors, 7))
    features = np.zeros((530, own.left), dtype=np.int32)  # more than are packed together
    drawn = rng.choice(values, size=(530, own.features))
    features[:, : own.features] = np.where(rng.random(drawn.shape) < common, values[0], drawn)
    labels = rng.integers(own.classes, size=530).astype(np.uint16)
    found = Palettes.of(own, features)
    for part in (features, features[:0]):
        words, lengths = found.pack(part, labels[: len(part)])
        wanted, wanted_lengths = to_words(own, found.encode(part), labels[: len(part)])
        assert words.dtype == np.uint16
        assert np.array_equal(words, wanted)
        assert np.array_equal(lengths, wanted_lengths)
    features[520, own.features - 1] = half
    with pytest.raises(StoreError, match=f"sample 520 has {half} in feature {own.features - 1}, which is none"):
        found.pack(features, labels)
    with pytest.raises(SampleError, match="labels must be"):
        found.pack(features, labels + own.classes)


def test_too_many_values() -> None:
    values = np.zeros((9, 24), dtype=np.int64)
    values[:, 3] = range(9)
    told = r"tell 4 values apart \(2 bits, per feature\), and feature 3 has 9; build the board with sample_bits = 4, or"
    with pytest.raises(StoreError, match=told):
        Palettes.of(fmt(bits=2), values)
    with pytest.raises(StoreError, match=r"\(2 bits, shared\), and all features have 9; .* sample_bits = 4"):
        Palettes.of(fmt(bits=2, palettes="shared"), values)


def test_palette_words() -> None:
    """Per feature: 2^3 words each, three columns of a port padded to four; negative values within their width."""
    own = fmt(bits=3, features=5, left=6, port=3)
    values = np.array([[1, 2, 3, 4, -1, 0]])
    words = Palettes.of(own, values).words
    assert len(words) == own.palette_words == 2 * 4 * 8
    assert np.flatnonzero(words).tolist() == [0, 8, 16, 32, 40]
    assert words[[0, 8, 16, 32, 40]].tolist() == [1, 2, 3, 4, 1023]
    shared = Palettes.of(
        fmt(bits=3, features=5, left=6, port=3, palettes="shared"), np.array([[-2, -2, -2, -2, -2, 0]])
    )
    assert shared.words.tolist() == [1022, 0, 0, 0, 0, 0, 0, 0]
