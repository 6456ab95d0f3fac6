"""Ranks, spacing and volumes against their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from presparse.errors import ArgumentError
from presparse.model_search.ranking.pareto import best_first, contributions, crowding, hypervolume, ranks

# Few different values, so that ties and equal points are common.
points = st.tuples(st.integers(0, 12), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 5).map(float))
)


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


@given(points)
def test_a_rank_is_the_longest_chain_of_points_that_dominate(values: np.ndarray) -> None:
    found = ranks(values)
    assert found.shape == (len(values),)
    for point, rank in zip(values, found, strict=True):
        above = [other for other, value in zip(found, values, strict=True) if dominates(value, point)]
        assert rank == max(above, default=-1) + 1


@given(points)
def test_a_hypervolume_counts_the_unit_cubes_that_are_dominated(values: np.ndarray) -> None:
    cubes = itertools.product(range(1, 5), repeat=values.shape[1])  # of the corners above the reference (1, ...)
    expected = sum(
        any(all(p > corner for p, corner in zip(point, cube, strict=True)) for point in values) for cube in cubes
    )
    assert hypervolume(values, np.ones(values.shape[1])) == expected


def test_a_hypervolume_by_hand() -> None:
    assert hypervolume([(2.5, 1.0), (1.0, 2.0), (0.5, 0.5)], (0.0, 0.0)) == 2.5 + 1.0
    assert hypervolume([(2.5, 1.0, 2.0), (1.0, 2.0, 1.0)], (0.0, 0.0, 0.0)) == 5.0 + 1.0
    assert hypervolume(np.zeros((0, 2)), (0.0, 0.0)) == 0.0
    assert hypervolume([(-1.0, 5.0)], (0.0, 0.0)) == 0.0


def test_crowding_by_hand() -> None:
    front = [(0.0, 10.0), (1.0, 6.0), (1.0, 6.0), (4.0, 5.0), (10.0, 0.0)]
    found = crowding(front)
    assert np.isinf(found[[0, 4]]).all()
    assert found[1] == pytest.approx(4 / 10 + 5 / 10)
    assert found[2] == 0.0  # as the one before, which has the room
    assert found[3] == pytest.approx(9 / 10 + 6 / 10)
    assert crowding([(1.0, 1.0), (1.0, 1.0)]).tolist() == [np.inf, 0.0]
    assert crowding(np.zeros((0, 2))).tolist() == []


@given(points)
def test_a_contribution_is_what_a_point_adds_to_the_others(values: np.ndarray) -> None:
    corner = np.zeros(values.shape[1])
    found, known = contributions(values, corner), set()
    for n, point in enumerate(values):
        others = np.array([other for other in values if tuple(other) != tuple(point)]).reshape(-1, values.shape[1])
        alone = hypervolume(np.vstack([others, point]), corner) - hypervolume(others, corner)
        assert found[n] == (0 if tuple(point) in known else alone)
        known.add(tuple(point))


@given(points)
def test_the_best_come_first(values: np.ndarray) -> None:
    order = best_first(values)
    assert sorted(order) == list(range(len(values)))
    of = ranks(values)
    assert list(of[order]) == sorted(of)
    for rank in set(of):
        front = values[of == rank]
        room = contributions(front, values.min(axis=0)) if values.shape[1] == 2 else crowding(front)
        own = dict(zip(np.flatnonzero(of == rank), room, strict=True))
        assert [n for n in order if of[n] == rank] == sorted(own, key=lambda n: (-own[n], n))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ranks([1.0, 2.0]), r"points have the shape \(n, figures\), and these \(2,\)"),
        (lambda: crowding([[1.0], [float("nan")]]), r"points have finite numbers, and number 1 is \[nan\]"),
        (lambda: hypervolume([[1.0, 2.0]], [0.0]), "one finite number per figure, 2, and this is"),
        (lambda: hypervolume([[1.0]], [float("-inf")]), "one finite number per figure, 1, and this is"),
    ],
)
def test_what_are_no_points_is_refused(call: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()  # pyright: ignore[reportCallIssue]
