"""Data on another scale gets a warning; other samples of the same kind, however they are drawn, get none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from presparse.errors import ScaleWarning
from presparse.features.familiar import check_scale, seen_in
from presparse.model import Model
from presparse.train import fit
from tests.host.small import NETWORK, clusters

KINDS = ("normal", "pixels", "counts", "log-normal", "binary", "measured")


def samples(kind: str, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (count, 20)
    return {
        "normal": rng.normal(size=shape),
        "pixels": rng.integers(0, 256, size=shape) * (rng.random(shape) < 0.3) * (np.arange(20) > 3),
        "counts": rng.poisson(0.05, size=shape),
        "log-normal": np.exp(2 * rng.normal(size=shape)),
        "binary": rng.random(shape) < 0.02,
        "measured": rng.normal(10 ** np.linspace(-3, 4, 20), 10 ** np.linspace(-4, 3, 20), size=shape),
    }[kind].astype(np.float64)


def warned(seen: np.ndarray, X: np.ndarray) -> list[str]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        check_scale(seen, X)
    assert all(each.category is ScaleWarning for each in told)
    return [str(each.message) for each in told]


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_the_same_kind(kind: str) -> None:
    """Training itself, and many other parts: large ones, and single samples."""
    X = samples(kind, 200, 0)
    seen = seen_in(X)
    for other in [X, *(samples(kind, count, seed) for count in (1, 5, 50, 3000) for seed in range(1, 20))]:
        assert warned(seen, other) == []


@pytest.mark.parametrize("kind", KINDS)
def test_another_scale(kind: str) -> None:
    X, other = samples(kind, 200, 0), samples(kind, 1000, 1)
    seen = seen_in(X)
    for changed in (other * 1000 + 5, other * 1000, other / 16, other / 255):
        [told] = warned(seen, changed)
        assert told.startswith("X is on another scale than what the model was trained on: ")


def test_a_standardized_table_for_a_model_of_raw_ones_and_the_other_way_round() -> None:
    X = samples("measured", 200, 0)
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    assert warned(seen_in(X), standard)
    assert warned(seen_in(standard), X)


def test_models_remember_what_they_saw() -> None:
    """And those that saw nothing say nothing."""
    X, y = clusters(0, 60)
    model = fit(NETWORK, X, y, epochs=1)
    with pytest.warns(ScaleWarning):
        model.predict(X * 1000 + 5)
    with warnings.catch_warnings(action="error"):
        model.predict(X)
        Model.initial(NETWORK).predict(X * 1000)
