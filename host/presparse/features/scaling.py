"""Features of any unit, range and distribution, brought into the range that the number formats hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.errors import DataError

Scaling = Literal["auto", "per feature", "overall", "none"]
"""'auto': every feature by its own distribution; 'per feature': by its own range; 'overall': all by one range (a pixel
that is nearly always dark stays dark); 'none': as they are."""

_DEVIATIONS = 2.5
"""That are 1, the activation format's usual end."""
_TAILS = 0.002
"""Share of the samples at either end that do not count for mean and deviation: outliers, perhaps."""
_LONG_TAIL = 8.0
"""Deviations from the mean to the end of a distribution, tails left out, from which on its ranks are scaled."""
_KNOTS = 33
"""Of a map of ranks."""


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """What `scaling` chose: x becomes (map(x) - offset) * gain.

    The map of a feature is linear between its knots, `levels` at `knots`, and constant beyond; NaN: there is none.
    Nothing but sums and products: every computer gets the same.
    """

    offset: NDArray[np.float64]
    """(features,)"""
    gain: NDArray[np.float64]
    """(features,)"""
    knots: NDArray[np.float64]
    """(features, K), ascending; K is 0 if no feature has a map."""
    levels: NDArray[np.float64]
    """(features, K)"""


def scaling(X: NDArray[np.float64], kind: Scaling = "auto") -> Scaled:
    """How features X (k, features), k >= 1, become numbers that the formats hold. Raises DataError for another kind.

    - 'auto': (x - mean) / (2.5 deviations), both without the outermost 0.2 % at either end; where these are all that
      varies, with them. Nothing changes if a feature is multiplied with a constant, or has one added.
    - 'per feature', 'overall': -1/2 .. 1/2 is the feature's own range, or that of all.
    - 'none': as they are.

    A feature that never changes becomes 0.
    """
    features = X.shape[1]
    none = np.zeros((features, 0))
    if kind == "auto":
        offset, spread = _moments(X)
        return Scaled(offset=offset, gain=_inverse(_DEVIATIONS * spread), knots=none, levels=none)
    if kind == "none":
        return Scaled(offset=np.zeros(features), gain=np.ones(features), knots=none, levels=none)
    if kind == "per feature":
        low, high = X.min(axis=0), X.max(axis=0)
    elif kind == "overall":
        low, high = np.full(features, X.min()), np.full(features, X.max())
    else:
        raise DataError(f"scale must be 'auto', 'per feature', 'overall' or 'none', and is {shortened(kind)}")
    return Scaled(offset=low / 2 + high / 2, gain=_inverse(high - low), knots=none, levels=none)


def _moments(X: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(mean, deviation) of every feature, each (features,)."""
    low, high = np.quantile(X, (_TAILS, 1 - _TAILS), axis=0)
    clipped = np.clip(X, low, high)
    rare = low == high  # a count that is 0 in nearly all samples
    clipped[:, rare] = X[:, rare]
    return clipped.mean(axis=0), clipped.std(axis=0)


def _inverse(spread: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(spread > 0, 1 / np.where(spread > 0, spread, 1.0), 1.0)
