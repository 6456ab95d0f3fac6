"""Penalties: values worked by hand, operators against pyproximal and a numerical minimizer, masks and edges."""

from __future__ import annotations

import math

import numpy as np
import pyproximal
import pytest
import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError
from presparse.sparsity import L1, L2, ElasticNet, GroupLasso, Groups, Penalty, Regularizer, SparseGroupLasso
from presparse.train.sparse_linear import SparseLinear
from tests.host.sparsity.oracle import Objective
from tests.host.train.test_sparse_linear import masked, random_layer

ALL = [L1(0.3), L2(0.3), ElasticNet(0.3, 0.8), GroupLasso(0.3), SparseGroupLasso(0.3), SparseGroupLasso(0.3, l1=0.4)]
NAMES = [f"{type(penalty).__name__}-{penalty.l1:g}" for penalty in ALL]


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight), dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return layer


def by_hand() -> nn.Linear:
    """Columns (3, 4) and (0, -12): norms 5 and 12, |g| = 2; biases -2 and 1, |g| = 1."""
    return linear([[3.0, 0.0], [4.0, -12.0]], [-2.0, 1.0])


def random_linear(left: int, right: int, seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    layer = nn.Linear(left, right, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (L1(0.5), 0.5 * (3 + 4 + 12 + 2 + 1)),
        (L2(0.5), 0.5 * (9 + 16 + 144 + 4 + 1)),
        (ElasticNet(0.5, 0.25), 0.5 * (0.25 * 22 + 0.75 * 174)),
        (GroupLasso(0.5), 0.5 * (math.sqrt(2) * (5 + 12) + 2 + 1)),
        (SparseGroupLasso(0.5), 0.5 * (math.sqrt(2) * 17 + 3 + 22)),
        (SparseGroupLasso(0.5, l1=3.0), 0.5 * (math.sqrt(2) * 17 + 3 + 3 * 22)),
    ],
)
def test_values_worked_by_hand(penalty: Penalty, expected: float) -> None:
    """Two faults of a widely used implementation fail here: rows instead of columns, and sqrt|g| forgotten."""
    assert penalty.on(by_hand()).value().item() == pytest.approx(expected, rel=1e-14)


def test_groups_are_outgoing_weights_not_incoming() -> None:
    """A feature that nothing reads is free, so two weights cost less in one column than in two; a row saves nothing."""
    scattered = linear([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    one_feature = linear([[1.0, 0.0], [1.0, 0.0]], [0.0, 0.0])
    one_output = linear([[1.0, 1.0], [0.0, 0.0]], [0.0, 0.0])
    assert GroupLasso(1.0).on(one_feature).value().item() == pytest.approx(2.0)  # sqrt 2 times sqrt 2
    assert GroupLasso(1.0).on(one_output).value().item() == pytest.approx(2 * math.sqrt(2))
    assert GroupLasso(1.0).on(scattered).value().item() == pytest.approx(2 * math.sqrt(2))


def test_a_group_weighs_the_root_of_its_size() -> None:
    """Unit norms, 1 and 9 members: without sqrt|g| both would cost 1."""
    assert GroupLasso(1.0).on(linear([[1.0]], [0.0])).value().item() == pytest.approx(1.0)
    assert GroupLasso(1.0).on(linear([[1 / 3]] * 9, [0.0] * 9)).value().item() == pytest.approx(3.0)


def test_strength_multiplies_the_penalty_and_not_the_loss() -> None:
    """The gradient of loss + value is the loss's, plus strength times the penalty's."""
    layer, x, y = by_hand(), torch.randn(7, 2, dtype=torch.float64), torch.randint(0, 2, (7,))

    def gradient(total: Tensor) -> Tensor:
        return torch.autograd.grad(total, layer.weight)[0]

    def loss() -> Tensor:
        return nn.functional.cross_entropy(layer(x), y)

    signs = torch.tensor([[1.0, 0.0], [1.0, -1.0]], dtype=torch.float64)
    directions = torch.tensor([[3 / 5, 0.0], [4 / 5, -1.0]], dtype=torch.float64)
    penalty_slope = signs + math.sqrt(2) * directions
    plain = gradient(loss())
    for strength in (0.0, 1e-4, 2.0):
        added = gradient(loss() + SparseGroupLasso(strength).on(layer).value())
        torch.testing.assert_close(added, plain + strength * penalty_slope, rtol=0, atol=1e-12)


def test_the_gradient_of_a_group_at_zero_is_zero() -> None:
    layer = linear([[0.0, 1.0], [0.0, 2.0]], [0.0, 0.0])
    SparseGroupLasso(1.0).on(layer).value().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad[:, 0], torch.zeros(2, dtype=torch.float64))
    assert bool(layer.weight.grad[:, 1].isfinite().all())


def test_operators_equal_pyproximal() -> None:
    """With one step for all. Its Euclidean is one group; its L2 is (sigma / 2) ||x||^2."""
    rate, lam = 0.2, 0.3
    before = random_linear(6, 4).weight.detach()
    w = before.numpy()

    def after(penalty: Penalty) -> np.ndarray:
        layer = random_linear(6, 4)
        penalty.on(layer).prox_(rate)
        return layer.weight.detach().numpy()

    soft = pyproximal.L1(sigma=lam).prox(w.ravel(), rate).reshape(w.shape)
    small = pyproximal.L2(sigma=2 * lam).prox(w.ravel(), rate).reshape(w.shape)
    groups = pyproximal.L21(ndim=4, sigma=lam * math.sqrt(4))
    both = pyproximal.L21_plus_L1(sigma=lam * (1 + math.sqrt(4)), rho=1 / (1 + math.sqrt(4)))
    near = {"rtol": 0, "atol": 1e-6}
    np.testing.assert_allclose(after(L1(lam)), soft, **near)
    np.testing.assert_allclose(after(L2(lam)), small, **near)
    np.testing.assert_allclose(after(GroupLasso(lam)), groups.prox(w.ravel(), rate).reshape(w.shape), **near)
    np.testing.assert_allclose(after(SparseGroupLasso(lam)), both.prox(w, rate), **near)


@pytest.mark.parametrize("penalty", ALL, ids=NAMES)
@pytest.mark.parametrize("metric", ["one step", "diagonal"])
def test_operators_equal_the_minimizer(penalty: Penalty, metric: str) -> None:
    """So L1, then the group, is exact for a diagonal metric as well; a bias is a group of one."""
    layer = random_linear(12, 5)
    weight, bias = penalty.on(layer).groups
    assert_minimizes(penalty, weight, metric, members=5)
    assert_minimizes(penalty, bias, metric, members=1)


@pytest.mark.parametrize("metric", ["one step", "diagonal"])
def test_all_three_terms_together_equal_the_minimizer(metric: str) -> None:
    penalty = Penalty(0.2, l1=0.7, l2=1.3, group=0.9)
    assert_minimizes(penalty, penalty.on(random_linear(9, 6, seed=3)).groups[0], metric, members=6)


def assert_minimizes(penalty: Penalty, groups: Groups, metric: str, members: int) -> None:
    """The operator moves every group of so many members, a column, to the minimum of its objective."""
    before = groups.parameter.detach().clone()
    steps = torch.full_like(before, 0.4)
    if metric == "diagonal":
        steps = 10 ** (2 * torch.rand(before.shape, dtype=torch.float64) - 1.5)
    penalty.prox_(groups, steps if metric == "diagonal" else 0.4)
    after = groups.parameter.detach().reshape(members, -1)
    for g, (values, step) in enumerate(zip(before.view(members, -1).T, steps.view(members, -1).T, strict=True)):
        objective = Objective(
            values.numpy(),
            step.numpy(),
            l1=penalty.strength * penalty.l1,
            l2=penalty.strength * penalty.l2,
            group=penalty.strength * penalty.group * math.sqrt(members),
        )
        np.testing.assert_allclose(after[:, g].numpy(), objective.minimum(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("penalty", ALL, ids=NAMES)
@pytest.mark.parametrize(("left", "right", "in_degree"), [(6, 4, 3), (64, 128, 8), (5, 1, 5)])
def test_edges_equal_masked_dense_weights(penalty: Penalty, left: int, right: int, in_degree: int) -> None:
    """Value, gradient and both operators of a `SparseLinear` layer."""
    sparse = random_layer(left, right, in_degree)
    dense, mask = masked(sparse)
    rows = torch.arange(right)[:, None]
    of_edges = penalty.on(sparse)
    of_dense = penalty.on(dense, masks={"weight": mask})
    torch.testing.assert_close(of_edges.value(), of_dense.value(), rtol=1e-12, atol=0)
    of_edges.value().backward()
    of_dense.value().backward()
    assert sparse.weight.grad is not None
    assert dense.weight.grad is not None
    torch.testing.assert_close(sparse.weight.grad, dense.weight.grad[rows, sparse.left], rtol=1e-12, atol=0)
    assert bool((dense.weight.grad[~mask] == 0).all())

    of_edges.prox_(30.0)
    of_dense.prox_(30.0)
    torch.testing.assert_close(sparse.weight, dense.weight[rows, sparse.left], rtol=1e-12, atol=1e-12)
    step = 10 ** (2 * torch.rand(right, left, dtype=torch.float64))
    penalty.prox_(of_edges.groups[0], step[rows, sparse.left])
    penalty.prox_(of_dense.groups[0], step)
    torch.testing.assert_close(sparse.weight, dense.weight[rows, sparse.left], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("penalty", ALL, ids=NAMES)
@pytest.mark.parametrize("metric", ["one step", "diagonal"])
def test_masked_entries_do_not_move_and_do_not_matter(penalty: Penalty, metric: str) -> None:
    """Whatever they hold, NaN included: not a bit of them changes, nor of the entries that exist."""
    mask = torch.rand(5, 8, generator=torch.Generator().manual_seed(4)) < 0.6
    mask[:, 2] = False
    step = 0.4 if metric == "one step" else 10 ** (2 * torch.rand(5, 8, dtype=torch.float64) - 1.5)
    results: list[Tensor] = []
    for absent in (0.0, 1e6, torch.nan):
        layer = random_linear(8, 5)
        with torch.no_grad():
            layer.weight.masked_fill_(~mask, absent)
        before = layer.weight.detach().clone()
        regularizer = penalty.on(layer, masks={layer.weight: mask})
        assert bool(regularizer.value().isfinite())
        penalty.prox_(regularizer.groups[0], step)
        after = layer.weight.detach()
        torch.testing.assert_close(after[~mask], before[~mask], rtol=0, atol=0, equal_nan=True)
        assert not torch.equal(after[mask], before[mask])
        results.append(after[mask])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_a_layout_that_is_not_contiguous() -> None:
    torch.manual_seed(0)
    plain, last = (nn.Conv2d(4, 6, 3, dtype=torch.float64) for _ in range(2))
    last.load_state_dict(plain.state_dict())
    last.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for layer in (plain, last):
        SparseGroupLasso(0.05).on(layer).prox_(0.3)
    assert not last.weight.is_contiguous()
    torch.testing.assert_close(last.weight, plain.weight, rtol=0, atol=1e-15)
    assert bool((plain.weight == 0).any())


def test_no_strength_changes_nothing() -> None:
    layer = by_hand()
    before = layer.weight.detach().clone()
    SparseGroupLasso(0.0).on(layer).prox_(0.1)
    assert torch.equal(layer.weight, before)


def test_a_regularizer_adds_up_its_parameters() -> None:
    model = nn.Sequential(by_hand(), nn.ReLU(), by_hand())
    regularizer = GroupLasso(0.5).on(model)
    assert isinstance(regularizer, Regularizer)
    assert regularizer.value().item() == pytest.approx(2 * 0.5 * (math.sqrt(2) * 17 + 3))


def test_edges_that_do_not_exist_do_not_count() -> None:
    """Left neuron 0 has two edges of three possible: sqrt 2, not sqrt 3."""
    layer = SparseLinear(3, [[0], [0], [1]], dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0], [4.0], [-2.0]]))
    assert GroupLasso(1.0).on(layer).value().item() == pytest.approx(5 * math.sqrt(2) + 2)


@pytest.mark.parametrize("strength", [-1e-4, math.nan, math.inf, "0.1", True, None])
@pytest.mark.parametrize("kind", [L1, L2, ElasticNet, GroupLasso, SparseGroupLasso])
def test_a_strength_must_be_a_number_from_0(kind: type[L1], strength: float) -> None:
    with pytest.raises(ArgumentError) as error:
        kind(strength)
    assert str(error.value) == f"the strength of a penalty must be a number, at least 0, and is {strength!r}"


def test_ratios() -> None:
    with pytest.raises(ArgumentError) as error:
        ElasticNet(1.0, 1.5)
    assert str(error.value) == "l1_ratio must be a number from 0 to 1, and is 1.5"
    with pytest.raises(ArgumentError) as error:
        SparseGroupLasso(1.0, l1=-1.0)
    assert str(error.value) == "the l1 of a penalty must be a number, at least 0, and is -1.0"
