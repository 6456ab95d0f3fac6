"""Structured patterns: equal degrees on both sides, no double edges, no lanes, and every pattern possible."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from presparse.contract.network import Junction, densities
from presparse.patterns import adjacency, structured


def junction(left: int, right: int, out_degree: int) -> Junction:
    return Junction(
        index=1, left=left, right=right, out_degree=out_degree, lanes=1, activation="relu", is_output=False
    )  # fmt: skip


@pytest.mark.parametrize(("left", "right"), [(12, 8), (8, 12), (9, 9), (1, 5), (6, 1)])
def test_degrees(left: int, right: int) -> None:
    for seed, (out_degree, in_degree) in enumerate(densities(left, right)):
        for repetition in range(20):
            pattern = structured(junction(left, right, out_degree), np.random.default_rng([seed, repetition]))
            matrix = adjacency(pattern, left)  # raises for a double edge
            assert pattern.shape == (right, in_degree)
            assert matrix.sum(axis=0).tolist() == [out_degree] * left
            assert (np.diff(pattern, axis=1) > 0).all()


def test_every_pattern_is_drawn() -> None:
    """3 left and 3 right neurons of degree 2 have 6 patterns: a permutation says whom each right neuron leaves out."""
    drawn = [tuple(structured(junction(3, 3, 2), np.random.default_rng(seed)).reshape(-1)) for seed in range(600)]
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert counts.min() > 60


def test_no_right_neuron_is_preferred() -> None:
    mean = np.mean(
        [adjacency(structured(junction(6, 4, 2), np.random.default_rng(seed)), 6) for seed in range(2000)], axis=0
    )
    assert abs(mean - 0.5).max() < 0.06


def test_seeds() -> None:
    patterns = [structured(junction(20, 10, 5), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(patterns[0], patterns[1])
    assert all(not np.array_equal(a, b) for a, b in pairwise(patterns[1:]))
