"""Degrees: how many edges the neurons of one side have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Degrees:
    """Edges per neuron of one layer."""

    least: int
    most: int
    mean: float
    deviation: float
    unconnected: int
    """Neurons without an edge."""


def degrees(matrix: NDArray[np.float64]) -> Degrees:
    """Out-degrees of the left neurons, from the adjacency matrix (right, left); in-degrees, from its transpose."""
    counts = matrix.sum(axis=0)
    return Degrees(
        least=int(counts.min()),
        most=int(counts.max()),
        mean=float(counts.mean()),
        deviation=float(counts.std()),
        unconnected=int(np.count_nonzero(counts == 0)),
    )
