"""Everything that is measured of a network's patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Network
from presparse.errors import PatternError
from presparse.patterns.adjacency import adjacency, paths
from presparse.patterns.degrees import Degrees, degrees
from presparse.patterns.dispersion import dispersion
from presparse.patterns.overlap import overlaps
from presparse.patterns.scatter import scatter


@dataclass(frozen=True, kw_only=True)
class JunctionMeasures:
    """What is measured of one junction."""

    density: float
    out_degrees: Degrees
    dispersion: float
    """Mean over right neurons (`presparse.patterns.dispersion`)."""
    overlap_mean: float
    """Left neurons that two right neurons share, mean over pairs; 0 with a single right neuron."""
    overlap_most: int
    """The same, the largest of all pairs."""
    scatter_forward: float
    """Right neurons against windows of left neurons."""
    scatter_backward: float
    """Left neurons against windows of right neurons."""


@dataclass(frozen=True, kw_only=True)
class NetworkMeasures:
    """What is measured of a whole network."""

    junctions: tuple[JunctionMeasures, ...]
    reach_least: float
    """Inputs that an output sees, as a fraction of all inputs; the least of all outputs."""
    reach_mean: float
    scatter_forward: float
    """Outputs against windows of inputs, by paths through all junctions."""
    scatter_backward: float
    """Inputs against windows of outputs, by paths through all junctions."""

    @property
    def scatters(self) -> tuple[float, ...]:
        """Forward and backward for each junction, then for the network."""
        junctions = (value for j in self.junctions for value in (j.scatter_forward, j.scatter_backward))
        return (*junctions, self.scatter_forward, self.scatter_backward)

    @property
    def scatter(self) -> float:
        """The least of all."""
        return min(self.scatters)


def measure(
    network: Network,
    left: Sequence[NDArray[np.int64]],
    *,
    inputs: NDArray[np.int64] | None = None,
    places: NDArray[np.int64] | None = None,
) -> NetworkMeasures:
    """Measures of the patterns `left`, one per junction.

    Padding does not count: only inputs with a feature and the first `classes` outputs are looked at. `places`
    (features,) are these inputs, by default the first ones; patterns of windows have them in `Network.places`. `inputs`
    (features,) numbers the window of every feature, for instance `tiles`; by default windows are neighbors. Dispersion
    is that of the whole left layer. Raises PatternError for patterns that are not the network's, ArgumentError for
    windows that are not.
    """
    if len(left) != len(network.junctions):
        raise PatternError(f"the network has {len(network.junctions)} junctions, and there are {len(left)} patterns")
    matrices: list[NDArray[np.float64]] = []
    for j, pattern in zip(network.junctions, left, strict=True):
        matrix = adjacency(pattern, j.left)
        if len(matrix) != j.right:
            raise PatternError(f"junction {j.index} has {j.right} right neurons, and its pattern {len(matrix)}")
        matrices.append(matrix)
    matrices[0] = matrices[0][:, np.arange(network.features) if places is None else places]
    matrices[-1] = matrices[-1][: network.classes]

    junctions: list[JunctionMeasures] = []
    for j, pattern, matrix in zip(network.junctions, left, matrices, strict=True):
        pairs = overlaps(matrix)
        junctions.append(
            JunctionMeasures(
                density=float(matrix.mean()),
                out_degrees=degrees(matrix),
                dispersion=float(dispersion(pattern[: len(matrix)], j.left).mean()),
                overlap_mean=float(pairs @ np.arange(len(pairs)) / max(1, pairs.sum())),
                overlap_most=int(np.flatnonzero(pairs).max(initial=0)),
                scatter_forward=scatter(matrix, inputs if j.index == 1 else None),
                scatter_backward=scatter(matrix.T),
            )
        )
    whole = paths(matrices)
    seen = np.count_nonzero(whole, axis=1) / network.features
    return NetworkMeasures(
        junctions=tuple(junctions),
        reach_least=float(seen.min()),
        reach_mean=float(seen.mean()),
        scatter_forward=scatter(whole, inputs),
        scatter_backward=scatter(whole.T),
    )
