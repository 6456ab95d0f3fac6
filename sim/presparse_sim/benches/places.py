"""Where a junction computes a number, and the first of two states that differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.network import Junction
from presparse.messages.simulation import Mismatch
from presparse_sim.benches.journal import Mismatched


@dataclass(frozen=True, kw_only=True)
class Place:
    """A number, and which turn of which lane computes it."""

    what: str
    junction: int
    """Counted from 1."""
    cycle: int
    lane: int

    @classmethod
    def of_edge(cls, j: Junction, right: int, number: int, what: str) -> Place:
        """Of the edge `number` of a right neuron."""
        cycle, lane = divmod(right * j.in_degree + number, j.lanes)
        return cls(what=what, junction=j.index, cycle=cycle, lane=lane)

    @classmethod
    def of_neuron(cls, j: Junction, right: int, what: str) -> Place:
        """Of a right neuron: the cycle of its last edge, the lane of its first."""
        cycle, lane = ((right + 1) * j.in_degree - 1) // j.lanes, right * j.in_degree % j.lanes
        return cls(what=what, junction=j.index, cycle=cycle, lane=lane)

    def mismatch(self, expected: int, got: int, clock: int) -> Mismatched:
        """To be raised; `clock`: the clock cycle in which it was seen."""
        return Mismatched(Mismatch(**vars(self), expected=expected, got=got, clock=clock))


def check_state(
    build: Build,
    expected: tuple[Sequence[NDArray[np.int64]], Sequence[NDArray[np.int64]], Sequence[NDArray[np.int64]]],
    got: tuple[Sequence[NDArray[np.int64]], Sequence[NDArray[np.int64]], Sequence[NDArray[np.int64]]],
    clock: int,
) -> int:
    """Compare (left, weights, biases) of all junctions; how many numbers. Raises Mismatched, edges in their order."""
    compared = 0
    for i, j in enumerate(build.junctions):
        edges = [(name, expected[part][i], got[part][i]) for part, name in enumerate(("left neuron", "weight"))]
        differing = np.argwhere((edges[0][1] != edges[0][2]) | (edges[1][1] != edges[1][2]))
        if differing.size:
            right, number = differing[0]
            what, wanted, found = next(e for e in edges if e[1][right, number] != e[2][right, number])
            place = Place.of_edge(j, int(right), int(number), what)
            raise place.mismatch(int(wanted[right, number]), int(found[right, number]), clock)
        wanted, found = expected[2][i], got[2][i]
        for right in np.flatnonzero(wanted != found)[:1]:
            raise Place.of_neuron(j, int(right), "bias").mismatch(int(wanted[right]), int(found[right]), clock)
        compared += sum(e[1].size for e in edges) + wanted.size
    return compared


def check_scores(build: Build, expected: NDArray[np.int64], got: NDArray[np.int64], clocks: Sequence[int]) -> int:
    """Compare scores (m, N_L), row k of which came in clock cycle `clocks[k]`; how many numbers. Raises Mismatched, and
    AssertionError if there are more or fewer of them."""
    for k in range(min(len(expected), len(got))):
        for right in np.flatnonzero(expected[k] != got[k])[:1]:
            place = Place.of_neuron(build.junctions[-1], int(right), "score")
            raise place.mismatch(int(expected[k, right]), int(got[k, right]), clocks[k])
    if len(expected) != len(got):
        raise AssertionError(f"{len(expected)} predictions were made, and {len(got)} results came")
    return expected.size
