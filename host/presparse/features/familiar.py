"""Whether samples are on the scale of those that a model was trained on: other units, or a scaling that was left out or
done twice, make a model answer at random, and nothing else tells."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from presparse.errors import ScaleWarning

_LOOKED_AT = 1000
"""Samples, evenly drawn."""
_FEWEST = 10
"""Numbers, below which nothing is said."""
_MARGIN = 0.1
"""Of a feature's range in training, that other samples may go beyond it."""
_MOST = 0.5
"""Share of numbers beyond it from which on they are not of those units."""
_FAR, _MANY_FAR = 10, 0.1
"""Ranges beyond it, where even outliers are rare, and the share of numbers there that is too much."""
_SMALLER = 8
"""Times that numbers are smaller, in their geometric mean: pixels from 0 to 1 are 255 times, digits 16 times."""
_MANY = 50
"""Numbers, below which that may be chance."""


def seen_in(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, width) of X (k, width): the least and the largest number of each column, and the geometric mean of the
    magnitudes of those that are not 0; 0 if all are."""
    part = np.abs(_some(X))
    there = part > 0
    logarithms = np.log(part, out=np.zeros(part.shape), where=there)
    mean = np.exp(logarithms.sum(axis=0) / np.maximum(there.sum(axis=0), 1))
    return np.stack([X.min(axis=0), X.max(axis=0), np.where(there.any(axis=0), mean, 0.0)])


def check_scale(seen: NDArray[np.float64], X: NDArray[np.float64]) -> None:
    """Warn (ScaleWarning) if X (k, width) is on another scale than what was seen, `seen_in` of it.

    Zeros are left out: in sparse data they are on every scale. Other samples of the same kind get no warning.
    """
    low, high, typical = seen
    varied = np.flatnonzero((high > low) & (typical > 0))
    if not varied.size:
        return
    looked_at = _some(X)[:, varied].astype(np.float64)
    low, high, typical = low[varied], high[varied], typical[varied]
    there = looked_at != 0
    numbers = np.count_nonzero(there)
    if numbers < _FEWEST:
        return
    with np.errstate(over="ignore"):  # infinitely far is far
        ranges = np.maximum(low - looked_at, looked_at - high) / (high - low)
    never = (low >= 0) & (looked_at < 0)  # counts, pixels: nothing is a little below 0
    share = np.count_nonzero(((ranges > _MARGIN) | never) & there) / numbers
    far = np.count_nonzero((ranges > _FAR) & there) / numbers
    magnitudes = np.log(np.abs(looked_at), out=np.zeros(there.shape), where=there)
    smaller = (np.log(typical) - magnitudes)[there].mean()
    if share > _MOST or far > _MANY_FAR:
        _warn(f"{max(share, far):.0%} of its numbers are outside of the range that their features had in training")
    elif numbers >= _MANY and smaller > math.log(_SMALLER):
        _warn(f"its numbers are {math.exp(min(smaller, 99)):.3g} times smaller than those of its features in training")


def _some(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows, evenly drawn."""
    return X[:: math.ceil(len(X) / _LOOKED_AT)]


def _warn(what: str) -> None:
    warnings.warn(
        f"X is on another scale than what the model was trained on: {what}; give it in the same units, or train anew",
        ScaleWarning,
        stacklevel=2,
    )
