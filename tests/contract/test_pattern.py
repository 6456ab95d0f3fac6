"""Patterns: every generated one is clash-free with the degrees that it promises; everything else is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presparse.contract.errors import PatternError
from presparse.contract.network import Junction
from presparse.contract.pattern import (
    CLASH_FREE_KINDS,
    PatternKind,
    arrange,
    check,
    first_touches,
    from_rows,
    generate,
    to_rows,
)
from tests.networks import bank_balanced, random_network

seeds = st.integers(0, 2**32)
SMALL = Junction(index=2, left=6, right=4, out_degree=2, lanes=3, activation="relu", is_output=False)  # in_degree 3


def junctions(seed: int) -> tuple[np.random.Generator, tuple[Junction, ...]]:
    rng = np.random.default_rng(seed)
    return rng, random_network(rng).junctions


@pytest.mark.parametrize("kind", CLASH_FREE_KINDS)
@given(seed=seeds)
def test_clash_free_with_equal_degrees(kind: PatternKind, seed: int) -> None:
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        left = generate(j, kind, rng)
        check(j, left)
        assert left.shape == (j.right, j.in_degree)
        assert np.bincount(left.reshape(-1), minlength=j.left).tolist() == [j.out_degree] * j.left
        # The definition itself: in every cycle, every bank is read once, by its own lane.
        banks = left.reshape(j.cycles, j.lanes) % j.lanes
        assert (np.sort(banks, axis=1) == np.arange(j.lanes)).all()
        assert all(len(set(row)) == j.in_degree for row in left.tolist())


@given(seed=seeds)
def test_clash_free_for_every_divisor_of_the_lanes(seed: int) -> None:
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        left = generate(j, "free", rng)
        for lanes in (d for d in range(1, j.lanes + 1) if j.lanes % d == 0):
            fewer = Junction(**{**vars(j), "lanes": lanes})
            if fewer.in_degree % lanes == 0 or lanes % fewer.in_degree == 0:
                check(fewer, left)


@given(seed=seeds)
def test_one_seed_reads_consecutive_rows(seed: int) -> None:
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        rows = to_rows(j, generate(j, "one seed", rng))
        assert ((rows - rows[0]) % j.rows == (np.arange(j.cycles) % j.rows)[:, None]).all()


@given(seed=seeds)
def test_seed_per_sweep_reads_consecutive_rows_in_a_sweep(seed: int) -> None:
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        sweeps = to_rows(j, generate(j, "seed per sweep", rng)).reshape(j.out_degree, j.rows, j.lanes)
        assert ((sweeps - sweeps[:, :1]) % j.rows == np.arange(j.rows)[None, :, None]).all()


@given(seed=seeds)
def test_free_permutes_rows_in_a_sweep(seed: int) -> None:
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        sweeps = to_rows(j, generate(j, "free", rng)).reshape(j.out_degree, j.rows, j.lanes)
        assert (np.sort(sweeps, axis=1) == np.arange(j.rows)[None, :, None]).all()


def test_seeds_change_between_sweeps_and_lanes() -> None:
    j = Junction(index=1, left=64, right=32, out_degree=16, lanes=8, activation="relu", is_output=False)
    starts = {
        kind: to_rows(j, generate(j, kind, np.random.default_rng(0))).reshape(16, 8, 8)[:, 0]
        for kind in ("one seed", "seed per sweep")
    }
    assert len(np.unique(starts["one seed"], axis=0)) == 1
    assert len(np.unique(starts["seed per sweep"], axis=0)) > 10
    assert len(np.unique(starts["one seed"][0])) > 1


@given(seed=seeds)
def test_random_and_fully_connected(seed: int) -> None:
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        left = generate(j, "random", rng)
        assert left.shape == (j.right, j.in_degree)
        assert all(len(set(row)) == j.in_degree and 0 <= min(row) <= max(row) < j.left for row in left.tolist())
        assert generate(j, "fully connected", rng).tolist() == [list(range(j.left))] * j.right


def test_unknown_kind() -> None:
    with pytest.raises(PatternError) as error:
        generate(SMALL, "spiral", np.random.default_rng(0))  # pyright: ignore[reportArgumentType]
    assert str(error.value) == (
        "pattern must be one of windows, one seed, seed per sweep, free, random, fully connected, and is 'spiral'"
    )


@given(seed=seeds)
def test_rows_and_patterns_are_inverse(seed: int) -> None:
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        left = bank_balanced(rng, j)
        rows = to_rows(j, left)
        assert rows.shape == (j.cycles, j.lanes)
        assert np.array_equal(from_rows(j, rows), left)


@given(seed=seeds)
def test_first_touches(seed: int) -> None:
    """Marked edges are, one for one, the first edge of each left neuron that has any."""
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        left = bank_balanced(rng, j)
        seen: set[int] = set()
        expected = [neuron not in seen and not seen.add(neuron) for neuron in left.reshape(-1).tolist()]
        assert first_touches(j, left).reshape(-1).tolist() == expected


@given(seed=seeds)
def test_arrange_restores_shuffled_edges(seed: int) -> None:
    rng, all_junctions = junctions(seed)
    for j in all_junctions:
        left = bank_balanced(rng, j)
        arranged = arrange(j, rng.permuted(left, axis=1))
        check(j, arranged)
        assert np.array_equal(np.sort(arranged, axis=1), np.sort(left, axis=1))


def test_arrange_refuses_an_unbalanced_choice() -> None:
    left = np.array([[0, 1, 2], [3, 4, 5], [0, 3, 1], [0, 1, 2]])  # neuron 2 has two in bank 0
    with pytest.raises(PatternError, match=r"^junction 2: not clash-free for 3 lanes: in cycle 2, lane "):
        arrange(SMALL, left)


VALID = [[0, 1, 2], [3, 4, 5], [0, 4, 2], [3, 1, 5]]


@pytest.mark.parametrize(
    ("place", "neuron", "message"),
    [
        ((1, 2), 6, "junction 2: left neurons are 0 to 5, and an edge has 6"),
        ((0, 0), -1, "junction 2: left neurons are 0 to 5, and an edge has -1"),
        ((3, 1), 3, "junction 2: right neuron 3 is connected twice to left neuron 3"),
        (
            (2, 1),
            5,
            "junction 2: not clash-free for 3 lanes: in cycle 2, lane 1 needs left neuron 5, which is in bank 2",
        ),
    ],
)
def test_one_wrong_edge(place: tuple[int, int], neuron: int, message: str) -> None:
    left = np.array(VALID)
    check(SMALL, left)
    left[place] = neuron
    with pytest.raises(PatternError) as error:
        check(SMALL, left)
    assert str(error.value) == message


def test_wrong_shape() -> None:
    with pytest.raises(PatternError) as error:
        check(SMALL, np.array(VALID).T)
    assert str(error.value) == "junction 2: a pattern has shape (4, 3), and this one (3, 4)"
