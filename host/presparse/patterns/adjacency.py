"""Adjacency matrices: which right neuron sees which left neuron, and through all junctions, which input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from presparse.errors import PatternError


def adjacency(left: NDArray[np.int64], neurons: int) -> NDArray[np.float64]:
    """(right, neurons): 1 where a right neuron has an edge from a left neuron, else 0.

    `left` is a pattern (right, in_degree) over `neurons` left neurons. Raises PatternError for another shape, a left
    neuron that is not there, or a double edge. Floating point, because products of these matrices go to BLAS; counts
    are exact to 2^53.
    """
    if left.ndim != 2 or not left.size:
        raise PatternError(f"a pattern has shape (right, in_degree), and this one {left.shape}")
    if left.min() < 0 or left.max() >= neurons:
        bad = left[(left < 0) | (left >= neurons)][0]
        raise PatternError(f"left neurons are 0 to {neurons - 1}, and an edge has {bad}")
    matrix = np.zeros((len(left), neurons))
    np.put_along_axis(matrix, left, 1, axis=1)
    double = np.flatnonzero(matrix.sum(axis=1) != left.shape[1])
    if double.size:
        raise PatternError(f"right neuron {double[0]} is connected twice to a left neuron")
    return matrix


def paths(matrices: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(outputs, inputs): the number of ways from an input through all junctions to an output.

    `matrices` are the junctions' adjacency matrices, junction 1 first: the product A_L ... A_2 A_1.
    """
    return reduce(lambda product, matrix: matrix @ product, matrices)


def reach(matrices: Sequence[NDArray[np.float64]]) -> NDArray[np.int64]:
    """(outputs,): how many inputs each output neuron sees through all junctions."""
    return np.count_nonzero(paths(matrices), axis=1)
