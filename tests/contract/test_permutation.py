"""The order of an epoch: a bijection for every size, that looks random, and as the protocol spells it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presparse.contract.permutation import epoch_seed, permutation, round_key
from tests.host.device.protocol_store import permuted

SEEDS = np.random.default_rng(1).integers(2**32, size=200).tolist()


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_every_number_comes_once(count: int, seed: int) -> None:
    order = permutation(count, seed)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(count))


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_it_is_the_protocols(count: int, seed: int) -> None:
    assert permutation(count, seed).tolist() == permuted(count, seed)


def test_by_hand() -> None:
    """Three bits; the keys are the low bits of the seed turned by 0, 11, 22, 33, 44 and 55 bits."""
    seed = 0b110 | 0b101 << 11 | 0b001 << 22
    assert [round_key(seed, number) & 7 for number in range(6)] == [6, 5, 1, 3, 2, 0]
    assert permutation(8, seed)[3] == 4  # 3: y 4, x 4; y 1, x 1; y 0, x 0; y 3, x 7; y 4, x 4; y 4, x 4
    assert np.array_equal(permutation(5, seed), [x for x in permutation(8, seed) if x < 5])


@pytest.mark.parametrize("count", [100, 1347, 1797, 12_000, 60_000])
def test_orders_look_random(count: int) -> None:
    """Against what uniformly random permutations give, with room of five standard errors over the seeds."""
    seeds = SEEDS[: 40 if count > 10_000 else 200]
    orders = [permutation(count, seed) for seed in seeds]
    error = 5 / np.sqrt(len(orders))
    place = np.arange(count)
    deviation = 1 / np.sqrt(count)  # of one order's correlation
    for lag in (1, 2, 3, 7):
        successive = [np.corrcoef(order[:-lag], order[lag:])[0, 1] for order in orders]
        assert abs(np.mean(successive)) < error * deviation + 2 / count
        assert np.std(successive) < 2 * deviation
    with_place = [np.corrcoef(order, place)[0, 1] for order in orders]
    assert abs(np.mean(with_place)) < error * deviation
    displacement = [np.abs(order - place).mean() / count for order in orders]
    assert abs(np.mean(displacement) - 1 / 3) < 0.002 + error * 0.21 * deviation
    fixed = [np.count_nonzero(order == place) for order in orders]
    assert abs(np.mean(fixed) - 1) < error
    assert max(fixed) < 10


@pytest.mark.parametrize("count", [1347, 12_000])
def test_no_step_is_common(count: int) -> None:
    """An affine order would repeat one difference for ever; random ones repeat none more than some ten times."""
    most = [int(np.bincount(np.diff(permutation(count, seed)) % count).max()) for seed in SEEDS]
    assert np.mean(most) < 8
    assert max(most) <= 12


def test_every_sample_comes_first_equally_often() -> None:
    """Chi-square over 20,000 seeds, for some places: within five standard deviations of its 99 degrees of freedom."""
    seeds = np.random.default_rng(2).integers(2**32, size=20_000).tolist()
    orders = np.stack([permutation(100, seed) for seed in seeds])
    for place in (0, 1, 50, 99):
        counts = np.bincount(orders[:, place], minlength=100)
        chi_square = ((counts - 200) ** 2 / 200).sum()
        assert abs(chi_square - 99) < 5 * np.sqrt(2 * 99)


def test_neighboring_seeds_are_unrelated() -> None:
    equal = [
        np.count_nonzero(permutation(1347, seed) == permutation(1347, seed ^ (1 << bit)))
        for seed in SEEDS[:20]
        for bit in range(32)
    ]
    assert 0.7 < np.mean(equal) < 1.3
    assert max(equal) < 10


def test_seeds_of_epochs_differ_and_stay() -> None:
    seeds = [epoch_seed(seed, epoch) for seed in range(20) for epoch in range(1, 21)]
    assert len(set(seeds)) == 400
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert [epoch_seed(0, 1), epoch_seed(7, 3)] == [673228719, 3842200183]
