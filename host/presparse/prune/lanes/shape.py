"""A network for the lanes that has room for what a pruned one still needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.prune.lanes.mlp import Mlp
from presparse.sizing.proposal import design

_SHARES = 1.5, 0.05, 32
"""Of the budget, that densities are asked for, from most to least: sizes that must divide have their own mind."""


def shape(
    source: Mlp,
    importance: Sequence[NDArray[np.float64]],
    *,
    edges: int | None = None,
    lanes: int | None = None,
    cycles: int | None = None,
    name: str = "pruned",
) -> Network:
    """A valid, balanced network with the layers of `source` (padded) and at most so many edges.

    Each junction gets the density that the most important `edges` edges of the whole network have there; by default
    as many as `source` has weights that are not 0. `lanes` and `cycles` are as for `presparse new`.

    Raises ArgumentError for fewer edges than any such network has, NetworkError for lanes or cycles it cannot have.
    """
    budget = source.edges if edges is None else edges
    if budget < 1:
        raise ArgumentError(f"edges must be at least 1, and are {budget}")
    most = sum(part.size for part in importance)
    designs = [
        design(
            len(source.columns),
            source.layers[-1],
            source.layers[1:-1],
            density=_densities(importance, min(most, max(1, round(budget * share)))),
            lanes=lanes,
            cycles=cycles,
            activations=(*source.activations, "sigmoid"),
            name=name,
        ).network
        for share in np.geomspace(*_SHARES)
    ]
    fitting = [network for network in designs if network.edges <= budget]
    if not fitting:
        raise ArgumentError(
            f"layers of {', '.join(str(size) for size in source.layers)} neurons on the lanes need more than {budget} "
            f"edges: the fewest found are {min(network.edges for network in designs)}; allow as many, fewer lanes, or "
            "prune more neurons first"
        )
    return max(fitting, key=lambda network: network.edges)


def _densities(importance: Sequence[NDArray[np.float64]], edges: int) -> list[float]:
    """Per junction, its share of edges among the most important of all."""
    every = np.concatenate([(part / part.mean()).ravel() if part.any() else part.ravel() for part in importance])
    threshold = np.partition(every, every.size - edges)[every.size - edges]
    found, densities = 0, []
    for part in importance:
        own = every[found : found + part.size]
        found += part.size
        densities.append(float(np.clip((own >= threshold).mean(), 1 / part.size, 1.0)))
    return densities
