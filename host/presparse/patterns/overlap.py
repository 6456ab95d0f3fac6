"""Overlap: how much two right neurons see of the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def overlaps(matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many pairs of right neurons share k left neurons, for k = 0 .. the largest in-degree.

    From the adjacency matrix A (right, left): entry (a, b) of A A^T is what neurons a and b share. The counts sum to
    right (right - 1) / 2. Two neurons that share all their left neurons can still differ in their weights.
    """
    shared = matrix @ matrix.T
    pairs = shared[np.triu_indices(len(matrix), k=1)].astype(np.int64)
    return np.bincount(pairs, minlength=int(matrix.sum(axis=1).max()) + 1)
