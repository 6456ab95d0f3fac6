"""Dispersion: worked by hand, against every pattern of small layers, and what must not change it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from presparse.patterns import dispersion


@pytest.mark.parametrize(
    ("left", "neurons", "expected"),
    [
        ([0, 4], 8, 1),
        ([0, 1], 8, 0),
        ([7, 0], 8, 0),  # a block across the ring's seam
        ([0, 2], 8, 1 / 3),  # gaps 2, 6: unevenness 2 of at most 3
        ([0, 3], 7, 1),  # gaps 3, 4: as even as 7 can be
        ([0, 2], 7, 1 / 2),  # gaps 2, 5: unevenness 1.5, between 0.5 and 2.5
        ([0, 1, 2, 6], 9, 5 / 12),  # gaps 1, 1, 4, 3: unevenness 2.5, between 0.75 and 3.75
    ],
)
def test_by_hand(left: list[int], neurons: int, expected: float) -> None:
    assert dispersion(np.array([left]), neurons)[0] == pytest.approx(expected)


@pytest.mark.parametrize(("in_degree", "neurons"), [(d, p) for p in range(2, 9) for d in range(1, p + 1)])
def test_every_pattern_of_small_layers(in_degree: int, neurons: int) -> None:
    """1 for exactly those whose gaps differ by at most 1, 0 for exactly the blocks, in between otherwise."""
    left = np.array(list(combinations(range(neurons), in_degree)))
    values = dispersion(left, neurons)
    gaps = np.diff(left, axis=1, append=left[:, :1] + neurons)
    even = np.ptp(gaps, axis=1) <= 1
    block = (np.sort(gaps, axis=1)[:, :-1] == 1).all(axis=1) & ~even
    assert np.allclose(values[even], 1)
    assert np.allclose(values[block], 0)
    assert ((values > 1e-9) & (values < 1 - 1e-9) == ~(even | block)).all()


def test_neither_place_nor_order_nor_direction_matters() -> None:
    rng = np.random.default_rng(1)
    left = rng.permuted(np.tile(np.arange(20), (50, 1)), axis=1)[:, :6]
    expected = dispersion(left, 20)
    assert np.allclose(dispersion((left + 7) % 20, 20), expected)
    assert np.allclose(dispersion(left[:, ::-1], 20), expected)
    assert np.allclose(dispersion(19 - left, 20), expected)
    assert len(np.unique(expected.round(9))) > 5
