"""Labeled samples: X (k, features) and y (k,), labels as their user has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from presparse.errors import DataError, FeatureError
from presparse.validation import Labels, labels_of

Data = tuple[NDArray[np.float64], Labels]
"""X (k, features) and y (k,): whole numbers, or names."""


def labeled(X: NDArray[np.float64], y: NDArray[Any], source: str) -> Data:
    """The same with labels that can be some. Raises DataError, naming `source`, unless shapes and labels are right."""
    if X.ndim != 2 or y.shape != (len(X),):
        raise DataError(
            f"{source}: X must have shape (samples, features) and y (samples,), and have {X.shape}, {y.shape}"
        )
    try:
        return X, labels_of(y)
    except FeatureError as error:
        raise DataError(f"{source}: {error}") from error


def from_one_hot(y: NDArray[Any], source: str) -> NDArray[Any]:
    """One-hot labels (k, classes) as classes (k,); any other shape as it is.

    Raises DataError, naming `source`, if a row holds anything but a single 1 among zeros.
    """
    if y.ndim != 2:
        return y
    ones = y == 1
    wrong = np.flatnonzero((ones.sum(axis=1) != 1) | ((y != 0) & ~ones).any(axis=1))
    if wrong.size:
        raise DataError(
            f"{source}: labels of shape {y.shape} must be one-hot, a single 1 among zeros, and row {wrong[0]} is not"
        )
    return ones.argmax(axis=1)
