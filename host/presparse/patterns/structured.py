"""Structured patterns: the degrees that clash-free patterns have, without their banks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Junction


def structured(junction: Junction, rng: np.random.Generator) -> NDArray[np.int64]:
    """A pattern (right, in_degree) in which every left neuron has `out_degree` edges, else at random; no lanes.

    It lies between clash-free and random patterns, and tells apart what equal out-degrees do and what banks do.

    Right neurons choose in turn among left neurons with edges to spare, more likely one with many. A left neuron that
    needs all right neurons still to come is chosen; there are never more of those than a right neuron has edges.
    """
    spare = np.full(junction.left, junction.out_degree)
    left = np.empty((junction.right, junction.in_degree), dtype=np.int64)
    for right in range(junction.right):
        # The largest of log(weight) + Gumbel noise are a draw by weight without replacement.
        with np.errstate(divide="ignore"):
            keys = np.log(spare) + rng.gumbel(size=junction.left)
        keys[spare == junction.right - right] = np.inf
        chosen = np.argpartition(-keys, junction.in_degree - 1)[: junction.in_degree]
        spare[chosen] -= 1
        left[right] = np.sort(chosen)
    return left
