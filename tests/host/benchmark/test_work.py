"""Utilisation and limit, worked by hand."""

from __future__ import annotations

import pytest

from presparse.benchmark.clock import Clock
from presparse.benchmark.core import Core
from presparse.benchmark.work import Work
from presparse.contract.build import Build
from presparse.contract.network import Network

NETWORK = Network(
    features=8, classes=4, layers=(8, 12, 4), out_degree=(6, 2), lanes=(4, 6), activations=("relu", "sigmoid")
)
"""Junction 1: 48 edges, 12 cycles; junction 2: 24 edges, 4 cycles."""


def test_products_and_multipliers_of_training() -> None:
    work = Work.of(Build(network=NETWORK))
    assert work.products == 48 * 2 + 24 * 3  # junction 1 has FF and UP, junction 2 BP as well
    assert work.multipliers == 4 * 2 + 6 * 3  # as many per lane; ReLU's derivative needs none
    assert work.utilization(12) == 168 / (26 * 12)
    assert work.limit(52e6) == pytest.approx(26 * 52e6 / 168)


def test_inference_has_feed_forward_only() -> None:
    work = Work.of(Build(network=NETWORK, mode="infer"))
    assert (work.products, work.multipliers) == (72, 10)


def test_multipliers_of_a_sigmoid_s_derivative_count_as_cost_and_not_as_use() -> None:
    sigmoid = NETWORK.model_copy(update={"activations": ("sigmoid", "sigmoid")})
    work = Work.of(Build(network=sigmoid))
    assert (work.products, work.multipliers) == (168, 27)


def test_balanced_junctions_without_gaps_use_every_multiplier_in_every_cycle() -> None:
    build = Build(network=Network.load("mnist"))
    work = Work.of(build)
    assert work.utilization(build.schedule.period) == 1.0


def test_core_at_a_clock() -> None:
    clock = Clock(board="b", fmax_mhz=120.0, baud=1, source="s")
    core = Core.of(Build(network=NETWORK), 12.0, clock)
    assert core.samples_per_second == 10e6
    assert core.limit_samples_per_second == pytest.approx(26 * 120e6 / 168)
    assert core.distance_to_limit == pytest.approx(1 - 168 / (26 * 12))
    unknown = Core.of(Build(network=NETWORK), 12.0, None)
    assert (unknown.utilization, unknown.samples_per_second, unknown.distance_to_limit) == (
        core.utilization,
        None,
        None,
    )
