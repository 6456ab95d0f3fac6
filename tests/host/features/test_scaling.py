"""How features of any unit and range become numbers that the formats hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presparse.errors import DataError
from presparse.features.inputs import Inputs
from presparse.features.scaling import scaling

X = np.array([[0.0, 10, 5], [4, 30, 5], [2, 20, 5]])


def test_by_ranges() -> None:
    found = scaling(X, "per feature")
    assert found.offset.tolist() == [2, 20, 5]
    assert found.gain.tolist() == [0.25, 0.05, 1]
    found = scaling(X, "overall")
    assert (found.offset.tolist(), found.gain.tolist()) == ([15] * 3, [1 / 30] * 3)
    found = scaling(X, "none")
    assert (found.offset.tolist(), found.gain.tolist()) == ([0] * 3, [1] * 3)
    with pytest.raises(DataError, match=r"^scale must be 'auto', 'per feature', 'overall' or 'none', and is 'no'$"):
        scaling(X, "no")  # pyright: ignore[reportArgumentType]


def real(X: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    return Inputs.fit(X).real(X if others is None else others)


def columns(seed: int = 0, count: int = 600) -> np.ndarray:
    """Normal, log-normal, a rare word, half of a log-normal one, a constant, 0 or 1, one with an outlier."""
    rng = np.random.default_rng(seed)
    normal, tail = rng.normal(size=(2, count))
    word = rng.poisson(0.02, count)
    heavy = np.where(rng.random(count) < 0.5, np.exp(2 * rng.normal(size=count)), 0)
    outlier = rng.normal(size=count)
    outlier[0] = 1e6
    return np.stack([normal, np.exp(2 * tail), word, heavy, np.full(count, 7), normal > 0, outlier], axis=1)


def test_by_distribution() -> None:
    """Three deviations are 1, a long tail loses it, an outlier is far out and moves nobody."""
    found = real(columns())
    assert found.std(axis=0)[[0, 1, 2, 5]] == pytest.approx(1 / 3, abs=0.01)
    assert abs(found.mean(axis=0)[[0, 1, 2, 5]]).max() < 0.01
    assert np.corrcoef(found[:, 1], np.log(columns()[:, 1]))[0, 1] > 0.995
    assert not found[:, 4].any()
    assert found[1:, 6].std() == pytest.approx(1 / 3, abs=0.02)
    assert found[0, 6] > 1e5
    fitted = Inputs.fit(columns())
    assert np.isfinite(fitted.knots).all(axis=1).tolist() == [False, True, False, True, False, False, False]


@given(st.floats(1e-12, 1e12), st.floats(-1e3, 1e3), st.integers(0, 50))
def test_units_change_nothing(factor: float, shift: float, seed: int) -> None:
    X = columns(seed, 80)
    np.testing.assert_allclose(real(X * factor + shift * factor), real(X), rtol=0, atol=1e-6)


def test_a_feature_that_never_changed_does_nothing() -> None:
    assert real(X, np.array([[2.0, 20, 9], [2, 20, -1e300]]))[:, 2].tolist() == [0, 0]


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-12, 1e12, 1e300, 1.7e308])
def test_extremes(size: float) -> None:
    found = real(np.array([[-size], [size], [0], [size]]), np.array([[-1.7e308], [1.7e308], [0]]))
    assert not np.isnan(found).any()
    assert Inputs.fit(np.full((1, 1), size)).real(np.full((1, 1), size)).tolist() == [[0]]
