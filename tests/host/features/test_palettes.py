"""Palettes: the best few values by hand and by dynamic programming, the nearest of them, and inputs that keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.contract.network import Network
from presparse.errors import ArgumentError, ModelError
from presparse.features import palettes as module
from presparse.features.inputs import Inputs
from presparse.features.palettes import fitted_palettes, nearest
from presparse.model import Model
from presparse.train import SparseNetwork

NETWORK = Network(
    features=3, classes=2, layers=(4, 4, 2), out_degree=(2, 2), lanes=(4, 2), activations=("relu", "sigmoid")
)


def best_error(numbers: NDArray[np.float64], count: int) -> float:
    """Sum of squares that no `count` values can beat: ascending numbers are cut into runs."""
    n = len(numbers)
    ordered = np.sort(numbers)
    error = np.full((n + 1, n + 1), np.inf)
    for first in range(n):
        for end in range(first + 1, n + 1):
            error[first, end] = ((ordered[first:end] - ordered[first:end].mean()) ** 2).sum()
    best = np.where(np.arange(n + 1) == 0, 0.0, np.inf)
    for _ in range(count):
        best = (best[:, None] + error).min(axis=0)
    return float(best[n])


@pytest.mark.parametrize("seed", range(5))
def test_errors_near_the_least_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for numbers in (rng.normal(size=60), rng.exponential(size=60) ** 2, rng.integers(20, size=60) / 4.0):
        own = fitted_palettes(numbers[:, None], 6, shared=False)
        assert own.shape == (1, 6)
        assert (np.diff(own[0]) > 0).all()
        error = ((nearest(numbers[:, None], own) - numbers[:, None]) ** 2).sum()
        assert error <= 1.6 * best_error(numbers, 6)


def test_few_values_are_kept_and_a_frequent_one_is_exact() -> None:
    rng = np.random.default_rng(0)
    few = rng.choice([-1.5, 0.25, 7.0], size=500)
    many = np.where(rng.random(500) < 0.2, 0.125, rng.normal(size=500))
    own = fitted_palettes(np.stack([few, many], axis=1), 4, shared=False)
    assert own[0, :3].tolist() == [-1.5, 0.25, 7.0]
    assert np.isnan(own[0, 3])
    assert 0.125 in own[1]
    again = fitted_palettes(np.stack([few, many], axis=1)[::-1], 4, shared=False)
    np.testing.assert_array_equal(own, again)
    shared = fitted_palettes(np.stack([few, few + 1], axis=1), 8, shared=True)
    np.testing.assert_array_equal(shared, [[-1.5, -0.5, 0.25, 1.25, 7.0, 8.0, np.nan, np.nan]] * 2)


def test_the_nearest_of_two_is_the_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    own = np.array([[-1.0, 0.0, 2.0], [5.0, np.nan, np.nan]])
    values = np.array([[-0.5, -9], [-0.51, 0], [0.99, 5], [1, np.inf], [-np.inf, 6]])
    wanted = [[0, 5], [-1, 5], [0, 5], [2, 5], [-1, 5]]
    for many in (64, 1):  # compared with all, searched for
        monkeypatch.setattr(module, "_MANY", many)
        np.testing.assert_array_equal(nearest(values, own), wanted)


def test_inputs_round_to_their_palettes_and_keep_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 3))
    X[:, 1] = rng.integers(3, size=300)
    plain = Inputs.fit(X, "per feature")
    inputs = Inputs.fit(X, "per feature", palettes=4)
    assert inputs.palettes.shape == (3, 4)
    assert [len(np.unique(column)) for column in inputs.real(X).T] == [4, 3, 4]
    assert np.isin(inputs.real(10 * X), inputs.palettes).all()
    np.testing.assert_array_equal(inputs.real(X)[:, 1], plain.real(X)[:, 1])
    model = Model.initial(NETWORK, inputs=inputs)
    assert len(np.unique(model.encode(X)[:, 0])) == 4
    encoded = np.floor(SparseNetwork.initial(NETWORK, inputs=inputs).inputs(X).numpy() * 256 + 0.5)
    np.testing.assert_array_equal(encoded, model.encode(X))
    model.save(tmp_path / "model.safetensors")
    again = Model.load(tmp_path / "model.safetensors")
    assert again.differences(model) == []
    np.testing.assert_array_equal(again.encode(X), model.encode(X))
    other = Model.initial(NETWORK, inputs=plain)
    assert model.differences(other) == ["features are rounded to other values"]
    shared = Inputs.fit(X, "per feature", palettes=5, shared_palettes=True)
    assert len(np.unique(shared.real(X))) == 5


def test_rare_values_of_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more samples than are looked at."""
    monkeypatch.setattr(module, "ROWS", 50)
    X = np.zeros((1000, 1))
    X[[333, 334, 601]] = [[1.0], [2.0], [9.0]]
    assert np.unique(Inputs.fit(X, "none", palettes=4).real(X)).tolist() == [0, 1, 2, 9]


@pytest.mark.parametrize(
    ("palettes", "message"),
    [
        ([[1.0, 2.0]], r"palettes must have shape \(features, values\), \(2, ...\), and have \(1, 2\)"),
        ([[1.0, 2.0], [2.0, 2.0]], "palettes must ascend in every row, with NaN behind the last value only"),
        ([[1.0, 2.0], [np.nan, 2.0]], "palettes must ascend"),
        ([[1.0, 2.0], [2.0, np.inf]], "palettes must ascend"),
        ([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]], "palettes must ascend"),
    ],
)
def test_bad_palettes(palettes: list[list[float]], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Inputs(offset=np.zeros(2), gain=np.ones(2), palettes=np.array(palettes))


@pytest.mark.parametrize("count", [0, -1, 2.5, 70_000])
def test_bad_counts(count: int) -> None:
    with pytest.raises(ArgumentError, match="palettes must be"):
        Inputs.fit(np.zeros((3, 1)), palettes=count)
