"""Kinds of patterns, compared for one network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Network
from presparse.contract.pattern import CLASH_FREE_KINDS, PatternKind, arranged
from presparse.errors import ArgumentError
from presparse.patterns.measures import NetworkMeasures, measure
from presparse.patterns.structured import structured
from presparse.validation import checked_seed

Kind = PatternKind | Literal["structured"]
KINDS: tuple[Kind, ...] = (*CLASH_FREE_KINDS, "structured", "random")
"""Of every network, from the least freedom to the most; 'windows' are for those with images."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of the table: a measure of one kind of pattern, over all seeds."""

    kind: Kind
    junction: int
    """1 .. L; 0 for the whole network."""
    measure: str
    mean: float
    deviation: float
    """Standard deviation over the seeds, 0 for a single one."""
    seeds: int


def draw(network: Network, kind: Kind, seed: int) -> list[NDArray[np.int64]]:
    """Patterns of one kind for all junctions, (right, in_degree) each.

    Those of the contract's kinds are the ones that `Model.initial` and `SparseNetwork.initial` draw from this seed.
    Raises PatternError for an unknown kind or windows without images, ArgumentError for a seed that is none.
    """
    rng = np.random.default_rng(checked_seed(seed, "seed"))
    if kind == "structured":
        return [structured(junction, rng) for junction in network.junctions]
    return list(arranged(network, kind, rng))


def compare(
    network: Network,
    kinds: Sequence[Kind] = KINDS,
    seeds: Sequence[int] = range(10),
    *,
    inputs: NDArray[np.int64] | None = None,
) -> list[Comparison]:
    """Every measure of every kind: mean and deviation over the seeds. `inputs` as for `measure`.

    Raises ArgumentError without a seed, PatternError for an unknown kind.
    """
    if not seeds:
        raise ArgumentError("a comparison needs at least one seed")
    table: list[Comparison] = []
    for kind in kinds:
        places = network.places if kind == "windows" else None
        drawn = [draw(network, kind, seed) for seed in seeds]
        runs = [list(_numbers(measure(network, left, inputs=inputs, places=places))) for left in drawn]
        for lines in zip(*runs, strict=True):
            junction, name, _ = lines[0]
            values = np.array([value for _, _, value in lines])
            spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            table.append(
                Comparison(
                    kind=kind,
                    junction=junction,
                    measure=name,
                    mean=float(values.mean()),
                    deviation=spread,
                    seeds=len(values),
                )
            )
    return table


def _numbers(measured: NetworkMeasures) -> Iterator[tuple[int, str, float]]:
    """(junction or 0, name, value) of every measure."""
    for index, j in enumerate(measured.junctions, start=1):
        yield index, "density", j.density
        yield index, "out-degree, least", j.out_degrees.least
        yield index, "out-degree, most", j.out_degrees.most
        yield index, "left neurons without an edge", j.out_degrees.unconnected
        yield index, "dispersion", j.dispersion
        yield index, "overlap, mean", j.overlap_mean
        yield index, "overlap, most", j.overlap_most
        yield index, "scatter forward", j.scatter_forward
        yield index, "scatter backward", j.scatter_backward
    yield 0, "scatter forward", measured.scatter_forward
    yield 0, "scatter backward", measured.scatter_backward
    yield 0, "scatter, least", measured.scatter
    yield 0, "reach, least", measured.reach_least
    yield 0, "reach, mean", measured.reach_mean
