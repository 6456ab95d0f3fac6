"""scikit-learn's digits."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from presparse.data import load, load_digits, load_features
from presparse.errors import DataError


def test_digits() -> None:
    X, y = load("digits")
    assert X.shape == (1797, 64)
    assert (X.min(), X.max()) == (0, 16)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.array_equal(load_digits()[0], X)


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError) as error:
        load_digits()
    assert str(error.value) == (
        "digits comes with scikit-learn, which is not installed: pip install 'presparse[train]'"
    )


def test_features_of_named_data() -> None:
    X, has_classes = load_features("digits", 64)
    assert has_classes
    assert np.array_equal(X, load_digits()[0])
