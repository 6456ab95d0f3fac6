"""Features of any range, brought into one that the number formats hold."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.errors import DataError

Scaling = Literal["per feature", "overall", "none"]


def scaling(X: NDArray[np.float64], kind: Scaling = "per feature") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(offset, gain), each (features,), so that (X - offset) * gain lies in -1/2 .. 1/2.

    'per feature' uses each feature's own range, 'overall' one range for all (images: a pixel that is nearly
    always dark stays dark). A feature that never changes has gain 1. Raises DataError for an unknown kind.

    'per feature' is the default: it suits features in any units, and where they share one it costs nothing: digits,
    trained on the board and cross-validated, got 0.09 +- 0.06 % more accuracy with it than with 'overall'.
    """
    if kind == "none":
        return np.zeros(X.shape[1]), np.ones(X.shape[1])
    if kind == "per feature":
        low, high = X.min(axis=0), X.max(axis=0)
    elif kind == "overall":
        low, high = np.full(X.shape[1], X.min()), np.full(X.shape[1], X.max())
    else:
        raise DataError(f"scale must be 'per feature', 'overall' or 'none', and is {kind!r}")
    spread = high - low
    return (low + high) / 2, 1 / np.where(spread > 0, spread, 1.0)
