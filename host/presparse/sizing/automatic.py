"""Hidden layers and densities for data of which nothing is known but its size.

Redundant features allow few edges, and features that each say something of their own do not: what a data set has, only
a trial shows (`presparse.sizing.trial`). Without one, networks are as dense as a budget of edges allows that FPGAs of
middle size hold: small data gets small dense networks, and wide data sparse ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

HIDDEN_EDGES = 32_768
"""Budget of a junction between features or hidden layers: 128 KiB of edge words."""
OUTPUT_EDGES = 8_192
"""Budget of the last junction behind a hidden layer."""

_SAMPLES = 4_096
"""Taken to be there where nobody says."""
_NARROWEST, _WIDEST = 16, 256
_LEAST_DEGREE = 4
"""Edges that every feature keeps, however many there are."""
_PATHS = 2
"""From every feature to every class, so that padding and rounded degrees leave one at least."""


def hidden_layer(classes: int, samples: int | None = None) -> int:
    """Neurons of the one hidden layer for data of so many classes and samples: a power of two, 16 to 256.

    About two for each root of the samples, and at least two for each class.
    """
    wanted = max(2 * math.sqrt(samples or _SAMPLES), 2 * classes)
    return min(max(1 << math.ceil(math.log2(wanted)), _NARROWEST), _WIDEST)


def layer_densities(layers: Sequence[int]) -> tuple[float, ...]:
    """Density of each junction between these layers, features first: as dense as the budget allows, and the last one
    as dense as it takes for every class to see every feature.

    Without a hidden layer every class sees every feature.
    """
    junctions = list(itertools.pairwise(layers))
    if len(junctions) == 1:
        return (1.0,)
    found = [max(HIDDEN_EDGES / (left * right), _LEAST_DEGREE / right) for left, right in junctions]
    seen = math.prod(left * min(density, 1.0) for (left, _), density in zip(junctions[:-1], found, strict=False))
    found[-1] = max(OUTPUT_EDGES / math.prod(junctions[-1]), _PATHS * layers[0] / (seen * layers[-2]))
    return tuple(min(density, 1.0) for density in found)
