"""Few values for each feature, or for all, to which every other is rounded: so a board's compressed samples
(`presparse.contract.sample_words`) hold every sample, seen or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS = 10_000
"""Most samples that palettes are fitted to: evenly taken from all."""
_ITERATIONS = 100
_FREQUENT = 0.1
"""Share of all numbers from which on the most frequent one stays as it is."""
_MANY = 64
"""Values, of which the nearest is searched for rather than by comparing with all."""
_AT_ONCE = 256
"""Samples, so that a processor's cache holds them."""


def few_values(X: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(count, columns) of X (k, columns): the values of every column that has at most so many, NaN behind them; NaN
    where a column has more."""
    some = X[:: -(-len(X) // ROWS)]
    found = np.full((count, X.shape[1]), np.nan)
    for number in range(X.shape[1]):
        if len(np.unique(some[:, number])) <= count:
            values = np.unique(X[:, number])
            if len(values) <= count:
                found[: len(values), number] = values
    return found


def fitted_palettes(values: NDArray[np.float64], count: int, *, shared: bool) -> NDArray[np.float64]:
    """(features, count) of scaled samples (k, features): the values of least squared error, by Lloyd's algorithm, for
    each feature, or, with `shared`, the same for all; NaN where fewer are needed."""
    values = values[:: -(-len(values) // ROWS)]
    if shared:
        return np.tile(_palette(values.reshape(-1), count), (values.shape[1], 1))
    return np.stack([_palette(column, count) for column in values.T])


def nearest(values: NDArray[np.float64], palettes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scaled samples (k, features) with each number replaced by the nearest of its palette, of two the larger."""
    between = (palettes[:, :-1] / 2 + palettes[:, 1:] / 2).T  # (K - 1, features); nothing reaches NaN
    own = np.arange(len(palettes))
    found = np.empty(values.shape)
    for first in range(0, len(values), _AT_ONCE):
        part = values[first : first + _AT_ONCE]
        places = np.zeros(part.shape, dtype=np.int32)
        if len(between) < _MANY:
            for limit in between:
                places += part >= limit
        else:
            for number, limits in enumerate(between.T):
                places[:, number] = np.searchsorted(limits, part[:, number], side="right")
        found[first : first + _AT_ONCE] = palettes[own, places]
    return found


def _palette(numbers: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(count,) for numbers (n,), ascending, padded with NaN."""
    levels, times = np.unique(numbers, return_counts=True)
    centers = levels if len(levels) <= count else _lloyd(levels, times, count)
    return np.append(centers, np.full(count - len(centers), np.nan))


def _lloyd(levels: NDArray[np.float64], times: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count,) centers of more levels (n,), ascending, that come so many times."""
    most = int(times.argmax())
    fixed = levels[most] if times[most] >= _FREQUENT * times.sum() else None
    numbers = np.concatenate([[0], np.cumsum(times)])
    sums = np.concatenate([[0.0], np.cumsum(times * levels)])
    centers = _first_centers(levels, times, count)
    for _ in range(_ITERATIONS):
        between = centers[:-1] / 2 + centers[1:] / 2
        ends = np.concatenate([[0], np.searchsorted(levels, between), [len(levels)]])
        size, total = np.diff(numbers[ends]), np.diff(sums[ends])
        moved = np.where(size > 0, total / np.maximum(size, 1), centers)
        if fixed is not None:
            moved[np.searchsorted(ends, most, side="right") - 1] = fixed
        if np.array_equal(moved, centers):
            break
        centers = moved
    return centers


def _first_centers(levels: NDArray[np.float64], times: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Quantiles of the density that centers of the least error have, the cube root of the levels' own (Panter and Dite,
    1951); where they coincide, the worst placed levels besides."""
    gaps = np.diff(levels, prepend=2 * levels[0] - levels[1])
    dense = np.cumsum(np.cbrt(times * gaps**2))  # (times / gap)^1/3 * gap
    wanted = (np.arange(count) + 0.5) / count * dense[-1]
    chosen = np.unique(np.searchsorted(dense, wanted))
    while len(chosen) < count:
        distance = np.abs(levels[:, None] - levels[chosen]).min(axis=1)
        chosen = np.unique(np.append(chosen, (times * distance**2).argmax()))
    return levels[chosen]
