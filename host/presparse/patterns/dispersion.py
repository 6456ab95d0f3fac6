"""Dispersion: how evenly the edges of a right neuron are spread over the left layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dispersion(left: NDArray[np.int64], neurons: int) -> NDArray[np.float64]:
    """(right,): 1 where a right neuron's edges are as evenly spaced as can be, 0 where they are one block.

    The p left neurons form a ring, so that no place is special. The d left neurons of a right neuron, in order, leave
    d gaps g_1 .. g_d >= 1 from each to the next, which sum to p. Their unevenness is

        u = 1/2 sum_k |g_k - p/d|,

    the length that would have to change sides to make all gaps equal. It is least, (p mod d) (1 - (p mod d) / d),
    where gaps differ by at most 1, and most, p - d + 1 - p/d, where all but one gap are 1. The dispersion is
    (most - u) / (most - least), and 1 where there is no choice (d is 1, p - 1 or p).

    This measure is ours. It takes the order of the left layer for its geometry; for images see `scatter` with `tiles`.
    """
    in_degree = left.shape[1]
    ordered = np.sort(left, axis=1)
    gaps = np.diff(ordered, axis=1, append=ordered[:, :1] + neurons)
    uneven = np.abs(gaps - neurons / in_degree).sum(axis=1) / 2
    rest = neurons % in_degree
    least = rest * (1 - rest / in_degree)
    most = neurons - in_degree + 1 - neurons / in_degree
    if in_degree in (1, neurons - 1, neurons):
        return np.ones(len(left))
    return (most - uneven) / (most - least)
