"""The schedule against the events it must order: when every memory is written and read, cycle by cycle.

Nothing here repeats how the schedule is calculated. Each test lays out, from the documented latencies, the
cycles in which samples' values are written and read, and checks that no value is read before it is there or
overwritten before it was read, for random builds.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presparse.contract.build import Build
from presparse.contract.errors import BuildError
from presparse.contract.network import Network
from presparse.contract.schedule import (
    ACTIVATE,
    BACKPROPAGATE,
    DELTAS,
    EDGE_READ,
    ERROR,
    FETCH,
    READ,
    SPREAD,
    START,
    UPDATE,
    forward_latency,
    schedule,
)
from tests.networks import random_build

seeds = st.integers(0, 2**32)
FOLLOWING = 40
"""Samples after one sample whose writes might collide with its reads."""


class Times:
    """Absolute cycles of junction i's events for sample k, block 0 starting in cycle 0."""

    def __init__(self, build: Build, i: int) -> None:
        self.junction, self.when = build.junctions[i], build.schedule.junctions[i]
        self.period, self.prologue = build.schedule.period, build.schedule.prologue
        self.steps = np.arange(self.junction.steps)
        self.last_cycle_of_step = (self.steps + 1) * self.junction.cycles_per_step - 1

    def block(self, k: int, delay: int) -> int:
        return (k + delay) * self.period + self.when.start

    def edges(self, k: int, delay: int) -> np.ndarray:
        """(C,) edge addresses."""
        return self.block(k, delay) + self.prologue + np.arange(self.junction.cycles)

    def activations_ready(self, k: int) -> np.ndarray:
        """(steps,) when the activations of each group come out of the junction."""
        return self.edges(k, self.when.forward)[self.last_cycle_of_step] + forward_latency(self.junction)

    def activations_written(self, k: int) -> np.ndarray:
        """(steps,) when they are written to the next junction's banks."""
        return self.activations_ready(k) + SPREAD

    def deltas_fetched(self, k: int) -> np.ndarray:
        """(steps,) turns of the deltas of each group."""
        return self.block(k, self.when.update) + self.steps * self.junction.cycles_per_step

    def left_deltas_written(self, k: int) -> np.ndarray:
        """(C,) writes of BP's sums."""
        return self.edges(k, self.when.update) + BACKPROPAGATE

    def left_activations_read(self, k: int, delay: int) -> np.ndarray:
        """(C,) addresses into the activation banks: the edge memory gives the row first."""
        return self.edges(k, delay) + SPREAD + EDGE_READ

    def delta_sums_read(self, k: int) -> np.ndarray:
        """(steps,) addresses into the next junction's delta banks."""
        return self.deltas_fetched(k) + SPREAD


def events(build: Build) -> list[Times]:
    return [Times(build, i) for i in range(len(build.junctions))]


@given(seed=seeds)
def test_a_layer_is_complete_before_it_is_read(seed: int) -> None:
    junctions = events(random_build(np.random.default_rng(seed)))
    for left, right in pairwise(junctions):
        assert left.activations_written(0).max() < right.left_activations_read(0, right.when.forward).min()


@given(seed=seeds)
def test_activations_stay_until_they_were_read(seed: int) -> None:
    build = random_build(np.random.default_rng(seed))
    junctions = events(build)
    for i, junction in enumerate(junctions):
        when = junction.when
        banks = [(when.forward_slots, when.forward)]
        if build.training:
            banks.append((when.activation_slots, when.update))
        for slots, delay in banks:
            last_read = junction.left_activations_read(0, delay).max()
            for k in range(slots, slots + FOLLOWING, slots):  # samples that take the slot of sample 0
                # Features may arrive once the sample before has been let in, START cycles ahead of its block.
                let_in = (k - 1) * build.schedule.period - START + SPREAD
                first_write = let_in if i == 0 else junctions[i - 1].activations_written(k).min()
                assert last_read < first_write


@given(seed=seeds)
def test_deltas_are_complete_before_they_are_fetched(seed: int) -> None:
    junctions = events(random_build(np.random.default_rng(seed), mode="train"))
    assert (junctions[-1].activations_ready(0) + ERROR < junctions[-1].deltas_fetched(0)).all()
    for left, right in pairwise(junctions):
        assert right.left_deltas_written(0).max() < left.delta_sums_read(0).min()


@given(seed=seeds)
def test_deltas_stay_until_they_were_fetched(seed: int) -> None:
    junctions = events(random_build(np.random.default_rng(seed), mode="train"))
    assert junctions[0].when.delta_sets == 0
    for left, right in pairwise(junctions):
        sets = right.when.delta_sets
        for k in range(sets, sets + FOLLOWING, sets):
            assert left.delta_sums_read(0).max() < right.left_deltas_written(k).min()


@given(seed=seeds)
def test_derivatives_wait_in_their_queue(seed: int) -> None:
    """Hidden layers' are written with the activation and read for the cycle after the selected sums; output deltas
    are written ERROR later and read at once."""
    for junction in events(random_build(np.random.default_rng(seed), mode="train")):
        output = junction.junction.is_output
        written = junction.activations_ready(0) + (ERROR if output else 0)
        read = junction.deltas_fetched(0) + (0 if output else SPREAD + READ + 2 - READ)
        slots = junction.when.derivative_slots
        assert (written < read).all()
        for k in range(slots, slots + FOLLOWING, slots):
            assert (read < written + k * junction.period).all()


@given(seed=seeds)
def test_a_weight_is_written_before_it_is_read_again(seed: int) -> None:
    build = random_build(np.random.default_rng(seed), mode="train")
    assert build.schedule.period > UPDATE - SPREAD


@given(seed=seeds)
def test_deltas_reach_the_lanes_with_their_edges(seed: int) -> None:
    """A delta comes out FETCH cycles after its turn, DELTAS after that of its first edge."""
    for junction in events(random_build(np.random.default_rng(seed), mode="train")):
        first_cycles = junction.edges(0, junction.when.update)[:: junction.junction.cycles_per_step]
        assert (junction.deltas_fetched(0) + FETCH == first_cycles + DELTAS).all()


@given(seed=seeds)
def test_blocks_do_not_overlap_and_delays_are_in_order(seed: int) -> None:
    build = random_build(np.random.default_rng(seed))
    times = build.schedule.junctions
    for junction, when in zip(build.junctions, times, strict=True):
        assert junction.cycles <= build.schedule.period
        assert 0 <= when.start < build.schedule.period
    forward = [when.forward for when in times]
    assert forward == sorted(forward)
    if build.training:
        update = [when.update for when in times]
        assert update == sorted(update, reverse=True)
        assert all(when.forward < when.update for when in times)
    assert build.schedule.depth == max(max(when.forward, when.update) for when in times)


@given(seed=seeds)
def test_the_gap_is_the_smallest_valid_one(seed: int) -> None:
    build = random_build(np.random.default_rng(seed))
    longest = max(junction.cycles for junction in build.junctions)
    least = UPDATE - SPREAD + 1 if build.training else 2
    assert build.schedule.period == longest + build.schedule.gap
    assert build.schedule.gap == build.gap or build.schedule.period == least > longest + build.gap


@given(seed=seeds)
def test_everything_has_landed_after_settling(seed: int) -> None:
    """`settle` counts from the decision to start the block, START cycles ahead of it."""
    build = random_build(np.random.default_rng(seed))
    for junction in events(build):
        last = junction.activations_written(-junction.when.forward).max()
        if build.training:
            last = max(last, junction.edges(-junction.when.update, junction.when.update).max() + UPDATE)
        assert last + START < build.schedule.settle


def test_by_hand() -> None:
    """(1024,64,32), d_out (4,16), lanes (64,16): C = 64 in both junctions, and no gap.

    FF of junction 1 takes 63 + (7 + 3 + 6 + 1 + 4) = 84 cycles, and the way to the banks 2; they are first read 5
    after junction 2's start, which is therefore 82 cycles after the block's, 18 into the next. Its group of outputs
    takes 2 cycles, then 7 + 3 + 4 + 1 + 4 = 19, and 2 to its delta: with a prologue of 8, deltas are there in the
    block after. Its BP ends 8 + 64 + 11 cycles after its start, which is 101 cycles after the block's: junction 1
    updates two blocks later.
    """
    network = Network(
        features=784,
        classes=10,
        layers=(1024, 64, 32),
        out_degree=(4, 16),
        lanes=(64, 16),
        activations=("sigmoid", "sigmoid"),
    )
    times = Build(network=network).schedule
    assert (times.period, times.gap, times.prologue, times.depth) == (64, 0, 8, 4)
    assert [(j.start, j.forward, j.update) for j in times.junctions] == [(0, 0, 4), (18, 1, 2)]
    inferring = Build(network=network, mode="infer").schedule
    assert (inferring.period, inferring.gap, inferring.prologue, inferring.depth) == (64, 0, 0, 1)
    assert all(j.derivative_slots == j.delta_sets == 0 for j in inferring.junctions)
    assert ACTIVATE == 4


def test_negative_gap() -> None:
    build = random_build(np.random.default_rng(0))
    with pytest.raises(BuildError) as error:
        schedule(build.junctions, training=True, gap=-1)
    assert str(error.value) == "gap must be 0 or more cycles, and is -1"
