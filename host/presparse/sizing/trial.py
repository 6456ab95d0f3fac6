"""How many edges a data set needs: a few networks, trained for a short time on a part of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from presparse import train
from presparse.contract.network import Network
from presparse.errors import DataError
from presparse.fitting.holding_out import hold_out
from presparse.sizing.proposal import Sizing

_SHARES = (0.5, 0.25)
"""Of a network's density, that are tried beside it."""
_MOST = 5_000
"""Samples that a trial takes."""
_FEWEST = 50
"""Of which a fifth says something about a network."""
_HELD_OUT = 0.2


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A network that was tried."""

    sizing: Sizing
    accuracy: float
    """Of samples that were not trained."""
    held_out: int
    """How many these are."""

    @property
    def network(self) -> Network:
        return self.sizing.network

    @property
    def standard_error(self) -> float:
        """Of the accuracy, with one right more and one wrong more, so that it is never 0."""
        share = (self.accuracy * self.held_out + 1) / (self.held_out + 2)
        return math.sqrt(share * (1 - share) / self.held_out)


def thinner(network: Network) -> list[list[float]]:
    """Densities per junction with a half and a quarter of the network's edges; the output keeps its own."""
    *hidden, output = (junction.density for junction in network.junctions)
    return [[*(density * share for density in hidden), output] for share in _SHARES]


def tried(
    sizings: Sequence[Sizing],
    X: NDArray[np.float64],
    y: NDArray[np.int64],
    *,
    random_state: int = 0,
    progress: Callable[[Sizing], object] | None = None,
) -> Iterator[Trial]:
    """Train each network for the same short time, on four fifths of X (k, features), y (k,), and measure the last.

    Of more than 5,000 samples as many are drawn. Raises DataError for fewer than 50.
    """
    if len(y) < _FEWEST:
        raise DataError(f"a trial needs at least {_FEWEST} samples, and there are {len(y)}; choose a density by hand")
    if len(y) > _MOST:
        _, drawn = hold_out(y, _MOST, random_state)
        X, y = X[drawn], y[drawn]
    learned, held = hold_out(y, _HELD_OUT, random_state)
    for sizing in sizings:
        if progress:
            progress(sizing)
        model = train.fit(sizing.network, X[learned], y[learned], random_state=random_state)
        yield Trial(sizing=sizing, accuracy=model.score(X[held], y[held]), held_out=len(held))


def sparsest(trials: Sequence[Trial]) -> Trial:
    """The one with the fewest edges whose accuracy is within a standard error of the best."""
    best = max(trials, key=lambda trial: trial.accuracy)
    near = [trial for trial in trials if trial.accuracy >= best.accuracy - best.standard_error]
    return min(near, key=lambda trial: trial.network.edges)
