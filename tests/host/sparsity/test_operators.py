"""The proximal operators equal pyproximal's, and a numerical minimizer's, whatever the metric."""

from __future__ import annotations

import numpy as np
import pyproximal
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from presparse.sparsity.operators import shrink_groups, soft_threshold
from tests.host.sparsity.oracle import Objective


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def steps(*shape: int, decades: float, seed: int = 1) -> Tensor:
    """Step sizes of a diagonal metric, over so many decades."""
    uniform = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return 10 ** (decades * (uniform - 0.5))


def test_soft_threshold_equals_pyproximal() -> None:
    values = normal(50)
    expected = pyproximal.L1(sigma=0.7).prox(values.numpy(), 0.3)
    np.testing.assert_allclose(soft_threshold(values, 0.21).numpy(), expected, rtol=0, atol=1e-15)


def test_one_step_for_all_equals_pyproximal() -> None:
    """Groups of equal strength are its L21."""
    values = normal(6, 40)
    expected = pyproximal.L21(ndim=6, sigma=2.0).prox(values.numpy().ravel(), 0.9).reshape(6, 40)
    shrunk = shrink_groups(values, torch.full((40,), 2.0, dtype=torch.float64), 0.9).numpy()
    assert (expected == 0).all(0).any()
    assert (expected != 0).all(0).any()
    np.testing.assert_allclose(shrunk, expected, rtol=0, atol=1e-14)


def test_every_group_has_its_own_strength() -> None:
    values, strengths = normal(4, 9), torch.linspace(0, 3, 9, dtype=torch.float64)
    shrunk = shrink_groups(values, strengths, 0.5)
    for g, strength in enumerate(strengths.tolist()):
        expected = pyproximal.Euclidean(sigma=strength).prox(values[:, g].numpy(), 0.5) if strength else values[:, g]
        np.testing.assert_allclose(shrunk[:, g].numpy(), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("decades", [0.5, 2.0, 4.0])
def test_a_diagonal_metric_equals_the_minimizer(decades: float) -> None:
    values, step = normal(7, 24), steps(7, 24, decades=decades)
    strengths = torch.logspace(-2, 1.5, 24, dtype=torch.float64)
    shrunk = shrink_groups(values, strengths, step)
    assert (shrunk == 0).all(0).any()
    assert (shrunk != 0).all(0).any()
    for g in range(24):
        objective = Objective(values[:, g].numpy(), step[:, g].numpy(), group=float(strengths[g]))
        np.testing.assert_allclose(shrunk[:, g].numpy(), objective.minimum(), rtol=0, atol=1e-6)


def test_a_metric_of_equal_steps_equals_one_step() -> None:
    values, strengths = normal(5, 30), torch.linspace(0.1, 4, 30, dtype=torch.float64)
    one = shrink_groups(values, strengths, 0.6)
    each = shrink_groups(values, strengths, torch.full((5, 30), 0.6, dtype=torch.float64))
    torch.testing.assert_close(each, one, rtol=0, atol=1e-14)
    assert torch.equal(each == 0, one == 0)


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 2**31),
    members=st.integers(1, 12),
    decades=st.floats(0, 12),
    scale=st.floats(-8, 4),
    strength=st.floats(-8, 4),
)
def test_subgradient_condition(seed: int, members: int, decades: float, scale: float, strength: float) -> None:
    """(x - z) / step + strength x / ||x|| = 0 where x is not 0, and ||z / step|| <= strength where it is."""
    z = normal(members, 16, seed=seed) * 10**scale
    step = steps(members, 16, decades=decades, seed=seed + 1)
    lam = 10**strength
    x = shrink_groups(z, torch.full((16,), lam, dtype=torch.float64), step)
    norms = torch.linalg.vector_norm(x, dim=0)
    zero = norms == 0
    inside = torch.linalg.vector_norm(z / step, dim=0)
    assert bool((inside[zero] <= lam * (1 + 1e-12)).all())
    assert bool((inside[~zero] >= lam * (1 - 1e-12)).all())
    pull = (z - x) / step  # = strength x / ||x||: a vector of length strength along x
    error = (x / norms * lam * step - (z - x)).abs() / (z.abs() + 1e-300)
    assert bool((error[:, ~zero] < 1e-10).all())
    assert bool((pull[:, ~zero] * x[:, ~zero] >= 0).all())


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 2**31), decades=st.floats(0, 8), strength=st.floats(-6, 1))
def test_single_precision_is_the_double_one_rounded(seed: int, decades: float, strength: float) -> None:
    """To a few units in the last place of the entry before."""
    z, step = normal(9, 16, seed=seed), steps(9, 16, decades=decades, seed=seed + 1)
    z, step = z.float().double(), step.float().double()
    lam = torch.full((16,), 10**strength, dtype=torch.float64).float().double()
    double = shrink_groups(z, lam, step)
    single = shrink_groups(z.float(), lam.float(), step.float())
    assert single.dtype == torch.float32
    assert bool(((single.double() - double).abs() <= 1e-6 * z.abs()).all())


def test_exact_zeros_and_no_nan_for_groups_that_are_zero_already() -> None:
    values = torch.zeros(3, 2, dtype=torch.float64)
    values[:, 1] = 1.0
    strengths = torch.ones(2, dtype=torch.float64)
    for step in (0.1, torch.full((3, 2), 0.1, dtype=torch.float64)):
        shrunk = shrink_groups(values, strengths, step)
        assert torch.equal(shrunk[:, 0], torch.zeros(3, dtype=torch.float64))
        assert bool((shrunk[:, 1] > 0).all())


def test_steps_that_differ_beyond_the_range_of_squares() -> None:
    """Terms of Newton's sum would overflow single precision from a start at 0."""
    values, step = torch.tensor([[1e-3], [1e-3]]), torch.tensor([[1e-17], [1e5]])
    shrunk = shrink_groups(values, torch.ones(1), step)
    assert shrunk[0, 0] == pytest.approx(1e-3)
    assert 0 < shrunk[1, 0] < 1e-9


@pytest.mark.parametrize("step", [0.1, torch.full((3, 2), 0.1)])
def test_nan_is_not_hidden_behind_a_zero(step: float | Tensor) -> None:
    values = torch.ones(3, 2)
    values[1, 0] = torch.nan
    assert shrink_groups(values, torch.ones(2), step)[1, 0].isnan()
    assert soft_threshold(values, 0.1)[1, 0].isnan()
