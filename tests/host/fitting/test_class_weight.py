"""Balanced classes: each as often as the largest, none of its samples left out or preferred."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.errors import ArgumentError
from presparse.fitting.class_weight import balanced_rows, checked_class_weight


@pytest.mark.parametrize("seed", range(20))
def test_every_class_counts_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice(5, size=rng.integers(1, 200), p=[0.5, 0.3, 0.15, 0.05, 0])
    rows = balanced_rows(labels)
    counts = np.bincount(labels, minlength=5)
    assert np.bincount(labels[rows], minlength=5).tolist() == [counts.max() if n else 0 for n in counts]
    often = np.bincount(rows, minlength=len(labels))
    for label in np.unique(labels):
        own = often[labels == label]
        assert own.min() >= 1
        assert own.max() - own.min() <= 1
    assert (np.diff(rows) >= 0).all()


def test_equal_classes_stay_as_they_are() -> None:
    labels = np.array([2, 0, 1, 1, 2, 0])
    np.testing.assert_array_equal(balanced_rows(labels), np.arange(6))


def test_what_is_no_class_weight() -> None:
    assert (checked_class_weight(None), checked_class_weight("balanced")) == (False, True)
    for value in ("even", {0: 2.0}, True):
        with pytest.raises(ArgumentError, match="class_weight must be None or 'balanced', and is "):
            checked_class_weight(value)
