"""Which of several points are best where more than one figure counts, all of them to be maximized.

A point dominates another if it is at least as good in every figure and better in one. Logarithms of figures that span
decades are their user's business (`ranking.objectives`): ranks are the same without, spacing and volumes are not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.errors import ArgumentError


def ranks(points: ArrayLike) -> NDArray[np.int64]:
    """(n,): 0 for those of points (n, m) that none dominates, 1 for those that only these dominate, and so on
    (non-dominated sorting). Equal points have equal ranks.

    Raises ArgumentError for what is no such array, or has numbers that are not finite.
    """
    values = _checked(points)
    at_least = np.all(values[:, None] >= values[None], axis=2)
    dominates = at_least & ~at_least.T
    found = np.full(len(values), -1)
    left, rank = np.ones(len(values), dtype=np.bool_), 0
    while left.any():
        front = left & ~dominates[left].any(axis=0)
        found[front] = rank
        left &= ~front
        rank += 1
    return found


def crowding(points: ArrayLike) -> NDArray[np.float64]:
    """(n,): how far apart the neighbors of each of points (n, m) are, as shares of the whole range, summed over the
    figures (crowding distance); infinite for the best and the worst of a figure.

    Of equal points all but one have no room of their own: their distance is 0. Raises ArgumentError as `ranks`.
    """
    values = _checked(points)
    distinct, first = np.unique(values, axis=0, return_index=True)
    own = np.zeros(len(distinct))
    for column in distinct.T:
        order = np.argsort(column, kind="stable")
        ascending = column[order]
        if len(ascending) == 0 or ascending[0] == ascending[-1]:
            continue
        own[order[1:-1]] += (ascending[2:] - ascending[:-2]) / (ascending[-1] - ascending[0])
        own[(column == ascending[0]) | (column == ascending[-1])] = np.inf
    distances = np.zeros(len(values))
    distances[first] = np.inf if len(distinct) == 1 else own
    return distances


def best_first(points: ArrayLike) -> NDArray[np.int64]:
    """(n,): numbers of points (n, m) by rank; of one rank first those that the others of it can least replace, then in
    their order.

    With two figures that is by their contribution to the hypervolume of their rank over the worst of each figure, which
    does not favor the ends of a front; with more, where volumes take long, by crowding distance. Raises ArgumentError
    as `ranks`.
    """
    values = _checked(points)
    of, room = ranks(values), np.zeros(len(values))
    for rank in range(of.max(initial=-1) + 1):
        own = of == rank
        room[own] = contributions(values[own], values.min(axis=0)) if values.shape[1] == 2 else crowding(values[own])
    return np.lexsort((-room, of))


def contributions(points: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """(n,): by how much the hypervolume would shrink without each of points (n, m), as if equal points were one, the
    first. Raises ArgumentError as `hypervolume`."""
    values = _checked(points)
    distinct, first = np.unique(values, axis=0, return_index=True)
    above, counted = _above(distinct, reference)
    found, whole = np.zeros(len(values)), _volume(above)
    found[first[counted]] = [whole - _volume(np.delete(above, n, axis=0)) for n in range(len(above))]
    return found


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume of all that points (n, m) dominate and that dominates the reference (m,), exact.

    Points that are not better than the reference in every figure add nothing. With two figures it takes n log n steps,
    with each further one n times as many. Raises ArgumentError as `ranks`, and for a reference of another length.
    """
    return _volume(_above(_checked(points), reference)[0])


def _above(values: NDArray[np.float64], reference: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of the points that are better than the reference in every figure, by how much; and which (n,) these are."""
    corner = np.asarray(reference, dtype=np.float64)
    if corner.shape != values.shape[1:] or not np.isfinite(corner).all():
        raise ArgumentError(f"a reference has one finite number per figure, {values.shape[1]}, and this is {corner}")
    counted = np.all(values > corner, axis=1)
    return values[counted] - corner, counted


def _volume(above: NDArray[np.float64]) -> float:
    """Of points above 0: slabs between the values of the last figure, each of the points that reach it."""
    if not len(above):
        return 0.0
    if above.shape[1] == 1:
        return float(above.max())
    above = above[np.argsort(-above[:, -1], kind="stable")]
    heights = above[:, -1] - np.append(above[1:, -1], 0.0)
    if above.shape[1] == 2:
        return float(heights @ np.maximum.accumulate(above[:, 0]))
    return sum(float(height) * _volume(above[: n + 1, :-1]) for n, height in enumerate(heights) if height)


def _checked(points: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(points, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise ArgumentError(f"points have the shape (n, figures), and these {values.shape}")
    if not np.isfinite(values).all():
        odd = int((~np.isfinite(values)).any(axis=1).argmax())
        raise ArgumentError(f"points have finite numbers, and number {odd} is {values[odd].tolist()}")
    return values
