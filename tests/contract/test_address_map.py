"""The address space and the packing of edges and biases into words."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from presparse.contract.address_map import (
    CORE_COUNTERS,
    COUNTERS,
    LINK_COUNTERS,
    bias_address,
    bias_words,
    counter_address,
    edge_address,
    edge_words,
    pack_biases,
    pack_edges,
    row_stride,
    unpack_biases,
    unpack_edges,
)
from presparse.contract.network import Junction
from tests.networks import bank_balanced, random_network

seeds = st.integers(0, 2**32)


@given(seed=seeds)
def test_edges_survive_packing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for j in random_network(rng).junctions:
        left = bank_balanced(rng, j)
        weights = rng.integers(-(2**17), 2**17, size=left.shape)
        weights[0, 0], weights[-1, -1] = -(2**17), 2**17 - 1
        words = pack_edges(j, left, weights)
        assert words.dtype == np.uint32
        assert words.shape == (edge_words(j),)
        unpacked_left, unpacked_weights = unpack_edges(j, words)
        assert np.array_equal(unpacked_left, left)
        assert np.array_equal(unpacked_weights, weights)


@given(seed=seeds)
def test_biases_survive_packing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for j in random_network(rng).junctions:
        biases = rng.integers(-(2**17), 2**17, size=j.right)
        biases[0] = -(2**17)
        words = pack_biases(j, biases)
        assert words.dtype == np.uint32
        assert words.shape == (bias_words(j),)
        assert words.max() < 1 << 18
        assert np.array_equal(unpack_biases(j, words), biases)


@given(st.integers(1, 5000))
def test_rows_start_at_powers_of_two(columns: int) -> None:
    stride = row_stride(columns)
    assert stride & (stride - 1) == 0
    assert columns <= stride < 2 * columns


def test_words_by_hand() -> None:
    """Two cycles on three lanes: each row of words is padded to four."""
    j = Junction(index=1, left=6, right=2, out_degree=1, lanes=3, activation="relu", is_output=False)
    weights = np.array([[5, -1, 0], [-131072, 131071, 1]])
    words = pack_edges(j, np.array([[3, 1, 2], [3, 4, 2]]), weights)
    assert [f"{word:08x}" for word in words] == [
        "80040005", "8003ffff", "80000000", "00000000",
        "00060000", "8005ffff", "00000001", "00000000",
    ]  # fmt: skip


def test_biases_by_hand() -> None:
    """Three right neurons per step on nine lanes: each row of words is padded to four."""
    j = Junction(index=1, left=9, right=6, out_degree=2, lanes=9, activation="relu", is_output=False)
    assert (j.group, j.steps) == (3, 2)
    words = pack_biases(j, np.array([-1, -131072, 131071, 0, 1, 2]))
    assert [f"{word:05x}" for word in words] == [
        "3ffff", "20000", "1ffff", "00000", "00000", "00001", "00002", "00000"
    ]  # fmt: skip


def test_the_largest_row_fits() -> None:
    j = Junction(index=1, left=8192, right=1, out_degree=1, lanes=1, activation="relu", is_output=False)
    left = np.arange(8192).reshape(1, -1)
    words = pack_edges(j, left, np.full((1, 8192), -1))
    assert f"{words[-1]:08x}" == "ffffffff"
    assert np.array_equal(unpack_edges(j, words)[0], left)


def test_addresses() -> None:
    assert [f"{edge_address(j, 5):08x}" for j in (1, 2, 4)] == ["01000005", "03000005", "07000005"]
    assert [f"{bias_address(j, 7):08x}" for j in (1, 2, 4)] == ["02000007", "04000007", "08000007"]
    assert [counter_address(c) for c in COUNTERS] == list(range(0, 2 * len(COUNTERS), 2))


def test_counters_are_the_cores_then_the_links() -> None:
    assert COUNTERS == CORE_COUNTERS + LINK_COUNTERS
    assert len(set(COUNTERS)) == 17
    assert (COUNTERS[0], LINK_COUNTERS[0]) == ("cycles", "frames_accepted")
