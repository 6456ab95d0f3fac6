"""Labeled samples: X (k, features) and y (k,), classes numbered from 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.errors import DataError

Data = tuple[NDArray[np.float64], NDArray[np.int64]]

LAST_CLASS = 65535
"""A label takes 16 bits on the wire."""


def labeled(X: NDArray[np.float64], y: NDArray[np.float64], source: str) -> Data:
    """The same with classes as integers. Raises DataError, naming `source`, unless shapes and classes are right."""
    if X.ndim != 2 or y.shape != (len(X),):
        raise DataError(
            f"{source}: X must have shape (samples, features) and y (samples,), and have {X.shape}, {y.shape}"
        )
    wrong = y[~((y >= 0) & (y <= LAST_CLASS) & (y == np.floor(y)))]
    if wrong.size:
        raise DataError(
            f"{source}: classes must be whole numbers from 0 to {LAST_CLASS}, and one is {wrong[0]:g}; number them"
        )
    return X, y.astype(np.int64)


def from_one_hot(y: NDArray[np.float64], source: str) -> NDArray[np.float64]:
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
    return ones.argmax(axis=1).astype(np.float64)
