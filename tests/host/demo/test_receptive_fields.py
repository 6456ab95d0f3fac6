"""Receptive fields: clash-free, near their center, and without padding."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.contract.errors import PatternError
from presparse.contract.network import Junction, Network
from presparse.contract.pattern import check
from presparse.demo import mnist
from presparse.demo.receptive_fields import receptive_fields


def junction(left: int, right: int, in_degree: int, lanes: int) -> Junction:
    return Junction(
        index=1,
        left=left,
        right=right,
        out_degree=right * in_degree // left,
        lanes=lanes,
        activation="relu",
        is_output=False,
    )


def test_one_neuron_by_hand() -> None:
    """Six features on a line and two of padding, two banks (even, odd), two features of each."""
    j = junction(left=8, right=4, in_degree=4, lanes=2)
    places = np.array([[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0]], dtype=np.float64)
    left = receptive_fields(j, places, 0.0, np.random.default_rng(0))
    centers = np.random.default_rng(0).uniform([0, 0], [5, 0], size=(4, 2))[:, 0]
    for row, center in zip(left, centers, strict=True):
        even = sorted((0, 2, 4), key=lambda f: abs(f - center))[:2]
        odd = sorted((1, 3, 5), key=lambda f: abs(f - center))[:2]
        assert sorted(row) == sorted(even + odd)
    check(j, left)


def test_of_mnist_see_one_neighborhood_each() -> None:
    network = Network.load("mnist")
    model = mnist.start(network)
    first = network.junctions[0]
    for lanes in (64, 16, 1):  # a build may have fewer
        check(network.junctions_with((lanes, 16))[0], model.left[0])
    assert model.left[0].max() < network.features
    order = mnist.pixels(network.features)
    places = np.stack([order // 28, order % 28], axis=1)[model.left[0]]  # (512, 64, 2)
    spread = places.std(axis=1).mean()
    anywhere = np.random.default_rng(0).integers(0, 28, size=places.shape).std(axis=1).mean()
    assert spread < anywhere / 2
    assert places.mean(axis=1).min() > 3
    assert len(np.unique(model.left[0], axis=0)) > 0.9 * first.right  # near centers may give the same field


@pytest.mark.parametrize(("in_degree", "lanes"), [(4, 8), (8, 2)])
def test_refuses_banks_that_cannot_give_equally_many(in_degree: int, lanes: int) -> None:
    places = np.zeros((6, 2))
    with pytest.raises(PatternError, match=rf"in_degree must be a multiple of {lanes}, at most .* and is {in_degree}"):
        receptive_fields(junction(8, 8, in_degree, lanes), places, 0.0, np.random.default_rng(0))
