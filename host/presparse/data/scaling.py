"""Features of any range, brought into one that the number formats hold."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.errors import DataError
from presparse.validation import checked_features, numbers

Scaling = Literal["per feature", "overall", "none"]


def scaling(X: ArrayLike, kind: Scaling = "per feature") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(offset, gain), each (features,), so that (X - offset) * gain lies in -1/2 .. 1/2.

    'per feature' uses each feature's own range, 'overall' one range for all (images: a pixel that is nearly
    always dark stays dark). A feature that never changes has gain 1. X is (k, features), k >= 1.

    Raises DataError for an unknown kind, FeatureError for another X.

    'per feature' is the default: it suits features in any units, and where they share one it costs nothing: digits,
    trained on the board and cross-validated, got 0.09 +- 0.06 % more accuracy with it than with 'overall'.
    """
    given = numbers(X, "X")
    values = checked_features(given, max(1, given.shape[-1] if given.ndim else 1))
    if kind == "none":
        return np.zeros(values.shape[1]), np.ones(values.shape[1])
    if kind == "per feature":
        low, high = values.min(axis=0), values.max(axis=0)
    elif kind == "overall":
        low, high = np.full(values.shape[1], values.min()), np.full(values.shape[1], values.max())
    else:
        raise DataError(f"scale must be 'per feature', 'overall' or 'none', and is {kind!r}")
    spread = high - low
    return (low + high) / 2, 1 / np.where(spread > 0, spread, 1.0)
