"""The features that a group penalty leaves are those that matter."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

import presparse as ps
from presparse.errors import ArgumentError, FeatureError
from presparse.sparsity import SparseFeatureSelector

pytestmark = pytest.mark.slow


def together(count: int) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Classes that features 1 and 4 of 8 say only together, in units far apart."""
    X = np.random.default_rng(0).normal(size=(count, 8))
    y = np.where(X[:, 1] * X[:, 4] > 0, "same", "other")
    return X * 10.0 ** np.arange(-4, 4) + 5, y


def test_features_that_say_something_only_together_are_found() -> None:
    X, y = together(1000)
    selector = SparseFeatureSelector().fit(X, y)
    assert list(selector.get_support(indices=True)) == [1, 4]
    assert (selector.transform(X) == X[:, [1, 4]]).all()
    assert (clone(selector).fit(X, y).scores_ == selector.scores_).all()


def test_an_outlier_and_constant_features_mislead_nobody() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 6))
    y = (X[:, :2] @ [1, -2] > 0).astype(int)
    X[0, 5], X[:, 4] = 1e12, 3.0
    scores = SparseFeatureSelector().fit(X, y).scores_
    assert set(np.argsort(-scores)[:2]) == {0, 1}
    assert (scores[4:] == 0).all()


def test_a_strength_that_is_given_is_taken_and_the_largest_are_kept() -> None:
    X, y = together(300)
    weak = SparseFeatureSelector(1e-4).fit(X, y)
    assert (weak.strength_, weak.get_support().sum()) == (1e-4, 8)
    assert SparseFeatureSelector(1e3).fit(X, y).get_support().sum() == 0
    weak.max_features = 3
    assert sorted(weak.get_support(indices=True)) == sorted(np.argsort(weak.scores_)[-3:])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"strength": "strong"}, ArgumentError, "strength must be a number or 'auto', and is 'strong'"),
        ({"strength": -1.0}, ArgumentError, "the strength of a penalty must be a number, at least 0, and is -1.0"),
        ({"hidden": (0,)}, ArgumentError, "hidden must be a whole number, at least 1, and is 0"),
    ],
)
def test_parameters_that_cannot_be_are_refused(
    parameters: dict[str, object], error: type[ps.PresparseError], message: str
) -> None:
    X, y = together(20)
    with pytest.raises(error, match=message):
        SparseFeatureSelector(**parameters).fit(X, y)  # pyright: ignore[reportArgumentType]  # wrong on purpose


def test_features_that_say_nothing_are_refused() -> None:
    with pytest.raises(FeatureError, match="no feature of X says anything about y; give other features"):
        SparseFeatureSelector().fit(np.ones((20, 3)), np.arange(20) % 2)
    with pytest.raises(FeatureError, match="y has only one class"):
        SparseFeatureSelector().fit(np.eye(20), np.ones(20))
