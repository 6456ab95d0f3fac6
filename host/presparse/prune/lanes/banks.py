"""Bank-balanced pruning: which left neuron goes to which bank, and which edges are kept there.

A right neuron keeps, of every bank of its lanes, the edges that matter most, as many as its pattern has there. Any
such choice is clash-free, and which neuron lies in which bank is free: so the banks are chosen to lose least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Junction
from presparse.contract.pattern import arrange

_PATIENCE = 3
"""Passes over all neurons without a gain that matters, after which the search ends."""
_GAIN = 1e-4


def assign(
    junction: Junction, importance: NDArray[np.float64], rng: np.random.Generator, *, movable: int, passes: int = 30
) -> NDArray[np.int64]:
    """(left,): which of the left neurons lies in each place, so that the kept importance is large.

    Parameters
    ----------
    importance : (right, left), of every possible edge, not negative
    movable : left neurons that may change places; those behind them (padding) stay
    passes : over all neurons, at most; each neuron tries to change places with one of another bank

    Kept importance never falls from pass to pass, and is never below that of neurons in their own order.
    """
    order = np.arange(junction.left)
    kept = np.array([_kept(junction, importance, order, bank).sum() for bank in range(junction.lanes)])
    idle, movable = 0, min(movable, junction.left)
    for _ in range(passes if junction.lanes > 1 else 0):
        before = kept.sum()
        partners = rng.permutation(movable)
        for place, other in enumerate(partners):
            here, there = place % junction.lanes, other % junction.lanes
            if here == there:
                continue
            order[[place, other]] = order[[other, place]]
            changed = [_kept(junction, importance, order, bank).sum() for bank in (here, there)]
            if sum(changed) > kept[here] + kept[there]:
                kept[[here, there]] = changed
            else:
                order[[place, other]] = order[[other, place]]
        idle = idle + 1 if kept.sum() - before <= _GAIN * before else 0
        if idle == _PATIENCE:
            break
    return order


def keep(junction: Junction, importance: NDArray[np.float64]) -> NDArray[np.int64]:
    """The clash-free pattern (right, in_degree) of the edges that matter most; importance (right, left)."""
    left = np.empty((junction.right, junction.in_degree), dtype=np.int64)
    filled = np.zeros(junction.right, dtype=np.int64)
    order = np.arange(junction.left)
    for bank in range(junction.lanes):
        rights = _rights(junction, bank)
        members = order[bank :: junction.lanes]
        count = junction.cycles_per_step
        best = np.argsort(-importance[np.ix_(rights, members)], axis=1, kind="stable")[:, :count]
        places = filled[rights, None] + np.arange(count)
        left[rights[:, None], places] = members[best]
        filled[rights] += count
    return arrange(junction, left)


def _rights(junction: Junction, bank: int) -> NDArray[np.int64]:
    """Right neurons that have edges in a bank: all, or every g-th if g are finished at once."""
    return np.arange(bank * junction.group // junction.lanes, junction.right, junction.group)


def _kept(
    junction: Junction, importance: NDArray[np.float64], order: NDArray[np.int64], bank: int
) -> NDArray[np.float64]:
    """(rights,) what every right neuron keeps in a bank."""
    members = order[bank :: junction.lanes]
    found = importance[np.ix_(_rights(junction, bank), members)]
    count = junction.cycles_per_step
    if count == 1:
        return found.max(axis=1)
    return np.partition(found, found.shape[1] - count, axis=1)[:, found.shape[1] - count :].sum(axis=1)
