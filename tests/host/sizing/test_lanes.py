"""Lanes of several junctions: all that are valid together, and the fastest of them, against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from presparse.contract.network import Network, check_lanes, valid_lanes
from presparse.sizing.lanes import fastest_lanes, lane_choices
from tests.networks import random_network


def valid(network: Network, lanes: tuple[int, ...]) -> bool:
    try:
        check_lanes(network, lanes)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("seed", range(30))
def test_choices_are_all_valid_divisors(seed: int) -> None:
    network = random_network(np.random.default_rng(seed))
    divisors = [[d for d in range(1, z + 1) if z % d == 0] for z in network.lanes]
    expected = {lanes for lanes in itertools.product(*divisors) if valid(network, lanes)}
    assert set(lane_choices(network)) == expected
    assert network.lanes in expected


@pytest.mark.parametrize("seed", range(30))
def test_the_fastest_have_the_fewest_cycles_and_of_those_the_fewest_lanes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, neurons=24)
    junctions, most = network.junctions, int(rng.integers(1, 60))
    allowed = [valid_lanes(j) for j in junctions]
    together = [z for z in itertools.product(*allowed) if sum(z) <= most and valid(network, z)]

    def cycles(lanes: tuple[int, ...]) -> int:
        return max(j.edges // z for j, z in zip(junctions, lanes, strict=True))

    expected = min(together, key=lambda z: (cycles(z), sum(z)), default=None)
    found = fastest_lanes([j.edges for j in junctions], [j.in_degree for j in junctions], allowed, most)
    if expected is None or found is None:
        assert found is expected
    else:
        assert found in together
        assert (cycles(found), sum(found)) == (cycles(expected), sum(expected))
