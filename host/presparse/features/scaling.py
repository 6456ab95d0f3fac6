"""Features of any unit, range and distribution, brought into the range that the number formats hold."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.errors import DataError

Scaling = Literal["auto", "per feature", "overall", "none"]
"""'auto': every feature by its own distribution; 'per feature': by its own range; 'overall': all by one range (a pixel
that is nearly always dark stays dark); 'none': as they are."""

_DEVIATIONS = 3.0
"""That become 1. The default activation format ends at 2: what is further away than twice this saturates."""
_TAILS = 0.002
"""Share of the samples at either end that do not count for mean and deviation: outliers, perhaps."""
_LONG = 8.0
"""Times the distance from the median to the quantile of one deviation, up to which a tail is none: it is 3 for normal
samples, 5 for exponential ones, and 10 for log-normal ones."""
_FREQUENT = 0.2
"""Share of the samples from which on a value (no word, a dark pixel) does not count when a tail is looked for."""
_SCORES = np.linspace(-2.875, 2.875, 24)
"""Of normal samples, at the knots of a map: it ends where the tails begin."""
_LEAST = 1e-290
"""Distance that counts; the inverse of less is hardly a number."""
_AT_ONCE = 64
"""Features; more would take memory several times over."""


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

    - 'auto': (x - mean) / (3 deviations), both without the outermost 0.2 % at either end, unless these are all that
      varies. A feature with a long tail goes through a map of its ranks to those of normal samples first. Nothing
      changes if a feature is multiplied with a constant, or has one added. One that never changes becomes 0.
    - 'per feature', 'overall': -1/2 .. 1/2 is the feature's own range, or that of all.
    - 'none': as they are.
    """
    features = X.shape[1]
    if kind == "auto":
        parts = [_by_distribution(X[:, first : first + _AT_ONCE]) for first in range(0, features, _AT_ONCE)]
        offset, gain, knots, levels = (np.concatenate(each) for each in zip(*parts, strict=True))
        mapped = not np.isnan(knots).all()
        return Scaled(offset=offset, gain=gain, knots=knots[:, mapped:], levels=levels[:, mapped:])
    if kind == "none":
        offset, gain = np.zeros(features), np.ones(features)
    elif kind == "per feature":
        offset, gain = _by_range(X.min(axis=0), X.max(axis=0))
    elif kind == "overall":
        offset, gain = _by_range(np.full(features, X.min()), np.full(features, X.max()))
    else:
        raise DataError(f"scale must be 'auto', 'per feature', 'overall' or 'none', and is {shortened(kind)}")
    return Scaled(offset=offset, gain=gain, knots=np.zeros((features, 0)), levels=np.zeros((features, 0)))


def _by_range(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(offset, gain) of features from `low` to `high`; 1 for those that never change."""
    spread = high - low
    return low / 2 + high / 2, 1 / np.where(spread > 0, spread, 1.0)


def _by_distribution(X: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """(offset, gain, knots, levels) of features X (k, features)."""
    values = np.sort(X.T, axis=1)
    knots, levels = np.full((2, len(values), len(_SCORES)), np.nan)
    for feature in np.flatnonzero([_has_long_tail(x) for x in values]):
        knots[feature], levels[feature] = _ranks(values[feature])
        values[feature] = np.interp(values[feature], knots[feature], levels[feature])
    low, high = _quantiles(values, np.array([_TAILS, 1 - _TAILS])).T[:, :, None]
    rare = low == high  # a word that nearly no text has
    low, high = np.where(rare, values[:, :1], low), np.where(rare, values[:, -1:], high)
    # Between 0 and 1, where squares neither overflow nor vanish.
    half = high / 2 - low / 2
    varies = half > _LEAST
    shares = (values.clip(low, high) / 2 - low / 2) / np.where(varies, half, 1.0)
    mean = shares.mean(axis=1, keepdims=True)
    spread = np.where(varies, shares.std(axis=1, keepdims=True) * half, 1.0)
    offset = low * (1 - mean) + high * mean
    return offset[:, 0], np.where(varies, 0.5 / _DEVIATIONS / spread, 0.0)[:, 0], knots, levels


def _has_long_tail(ordered: NDArray[np.float64]) -> bool:
    """Of ascending samples (k,), whether a few lie many times as far from the median as most do."""
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    counts = np.diff(begins, append=len(ordered))
    most = counts.argmax()
    if counts[most] > _FREQUENT * len(ordered):
        ordered = np.delete(ordered, slice(begins[most], begins[most] + counts[most]))
    if not ordered.size:
        return False
    scores = np.array([-_SCORES[-1], -1, 0, 1, _SCORES[-1]])
    least, below, median, above, most = _quantiles(ordered, _normal(scores)) / 2  # halves, whose differences are finite
    return (most - median) / _LONG > above - median > 0 or (median - least) / _LONG > median - below > 0


def _ranks(ordered: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(knots, levels), each (K,): quantiles of ascending samples (k,), and what normal samples have there. Equal
    quantiles share the mean of their levels."""
    knots = _quantiles(ordered, _normal(_SCORES))
    _, group = np.unique(knots, return_inverse=True)
    return knots, (np.bincount(group, _SCORES) / np.bincount(group))[group]


def _quantiles(ordered: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ascending samples (..., k), shares (n,) -> (..., n), between the two samples beside; numpy's own sort again."""
    places = shares * (ordered.shape[-1] - 1)
    below = ordered[..., np.floor(places).astype(np.int64)]
    above = ordered[..., np.ceil(places).astype(np.int64)]
    return below + (above / 2 - below / 2) * (places % 1) * 2


def _normal(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal distribution function of scores (n,)."""
    return np.array([NormalDist().cdf(score) for score in scores.tolist()])
