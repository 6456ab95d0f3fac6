"""ProximalOptimizer: the metric of each optimizer, warm-up, masks, schedules, and states to go on from."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

import presparse as ps
from presparse.errors import ArgumentError
from presparse.sparsity import L1, GroupLasso, ProximalOptimizer, SparseGroupLasso, left_over
from presparse.train.sparse_linear import SparseLinear
from tests.host.sparsity.oracle import Objective

Make = Callable[[list[nn.Parameter]], Optimizer]
OPTIMISERS: dict[str, Make] = {
    "SGD": lambda parameters: SGD(parameters, lr=0.05),
    "SGD, momentum": lambda parameters: SGD(parameters, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adam": lambda parameters: Adam(parameters, lr=0.01, betas=(0.8, 0.95), eps=1e-3),
    "Adam, amsgrad": lambda parameters: Adam(parameters, lr=0.01, betas=(0.8, 0.1), amsgrad=True),
    "AdamW": lambda parameters: AdamW(parameters, lr=0.01, weight_decay=0.1),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS.keys())


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()


INPUTS = torch.randn(40, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LABELS = torch.randint(0, 3, (40,), generator=torch.Generator().manual_seed(2))


def train(model: nn.Module, optimizer: Optimizer, steps: int, schedule: CosineAnnealingLR | None = None) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(INPUTS), LABELS).backward()
        optimizer.step()
        if schedule:
            schedule.step()


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@every_optimizer
def test_without_strength_it_is_the_optimizer_bit_for_bit(make: Make) -> None:
    """So lambda never multiplies the loss: a fault of a widely used implementation."""
    plain, proximal = small(), small()
    train(plain, make(list(plain.parameters())), 20)
    optimizer = make(list(proximal.parameters()))
    train(proximal, ProximalOptimizer(optimizer, SparseGroupLasso(0.0).on(proximal)), 20)
    assert same(weights(plain), weights(proximal))


def metric(optimizer: Optimizer, gradients: list[Tensor]) -> Tensor:
    """Step sizes of the last of some gradients, from the published formulae, over the whole past at once."""
    settings = optimizer.param_groups[0]
    if isinstance(optimizer, SGD):
        return torch.full_like(gradients[0], settings["lr"])
    beta = settings["betas"][1]
    averages = [
        sum((1 - beta) * beta ** (k - i) * gradients[i] ** 2 for i in range(k + 1)) for k in range(len(gradients))
    ]
    second = torch.stack([torch.as_tensor(average) for average in averages])
    used = second.amax(0) if settings["amsgrad"] else second[-1]
    return settings["lr"] / (torch.sqrt(used / (1 - beta ** len(gradients))) + settings["eps"])


@every_optimizer
def test_a_step_is_the_optimizers_then_the_minimizer_in_its_metric(make: Make) -> None:
    """Three steps of one layer: each from where the last one ended; the third is checked."""
    layer, lam = nn.Linear(6, 4, bias=False, dtype=torch.float64), 0.02
    optimizer = ProximalOptimizer(make(list(layer.parameters())), SparseGroupLasso(lam).on(layer))
    gradients: list[Tensor] = []
    free = torch.zeros(0)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(layer(INPUTS), LABELS).backward()
        assert layer.weight.grad is not None
        gradients.append(layer.weight.grad.clone())
        twin = copy.deepcopy(layer)  # the same step without the operator
        twin.weight.grad = layer.weight.grad.clone()
        alone = make(list(twin.parameters()))
        alone.load_state_dict(copy.deepcopy(optimizer.optimizer.state_dict()))
        alone.step()
        free = twin.weight.detach()
        optimizer.step()
    steps = metric(optimizer.optimizer, gradients)
    for j in range(6):
        objective = Objective(free[:, j].numpy(), steps[:, j].numpy(), l1=lam, group=lam * math.sqrt(4))
        np.testing.assert_allclose(layer.weight[:, j].detach().numpy(), objective.minimum(), rtol=0, atol=1e-6)
    assert not torch.equal(layer.weight, free)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_each_parameter_group_has_its_own_rate(kind: type[SGD] | type[Adam]) -> None:
    """One step with three rates, 0 among them, against one step with each rate alone."""

    def after_a_step(rates: list[float]) -> list[Tensor]:
        model = small()
        layers = [list(model[0].parameters()), [model.get_parameter("2.weight")], [model.get_parameter("2.bias")]]
        inner = kind([{"params": layer, "lr": rate} for layer, rate in zip(layers, rates, strict=True)], lr=1.0)
        train(model, ProximalOptimizer(inner, L1(0.1).on(model)), 1)
        return weights(model)

    mixed = after_a_step([0.01, 0.03, 0.0])
    assert same(mixed[:2], after_a_step([0.01] * 3)[:2])
    assert same(mixed[2:3], after_a_step([0.03] * 3)[2:3])
    assert same(mixed[3:], weights(small())[3:])


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_strength_rises_linearly_from_0(name: str) -> None:
    """Over four steps, against the penalty with that much strength in each."""
    warm, by_hand = small(), small()
    optimizer = ProximalOptimizer(OPTIMISERS[name](list(warm.parameters())), L1(0.1).on(warm), warm_up=4)
    inner = OPTIMISERS[name](list(by_hand.parameters()))
    shares: list[float] = []
    for k in range(6):
        shares.append(optimizer.share)
        train(warm, optimizer, 1)
        constant = ProximalOptimizer(inner, L1(0.1 * min(1.0, k / 4)).on(by_hand))
        train(by_hand, constant, 1)
        assert same(weights(warm), weights(by_hand))
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


@every_optimizer
def test_masked_entries_never_move(make: Make) -> None:
    """Though their gradients are not zero, and momentum and weight decay pull at them."""
    model = small()
    mask = torch.rand(8, 6, generator=torch.Generator().manual_seed(3)) < 0.5
    before = model.get_parameter("0.weight").detach().clone()
    regularizer = SparseGroupLasso(0.02).on(model, masks={"0.weight": mask})
    train(model, ProximalOptimizer(make(list(model.parameters())), regularizer), 10)
    assert torch.equal(model.get_parameter("0.weight")[~mask], before[~mask])
    assert not bool((model.get_parameter("0.weight")[mask] == before[mask]).any())
    assert bool((model.get_parameter("0.weight")[mask] == 0).any())


@every_optimizer
def test_edges_train_like_masked_dense_weights(make: Make) -> None:
    """Dense weights that are masked stay at 0, so both networks are the same one, to rounding."""
    generator = torch.Generator().manual_seed(5)
    left = torch.stack([torch.randperm(6, generator=generator)[:3] for _ in range(8)])
    sparse = nn.Sequential(SparseLinear(6, left.numpy(), dtype=torch.float64), nn.Tanh(), nn.Linear(8, 3)).double()
    dense = small()
    rows, mask = torch.arange(8)[:, None], torch.zeros(8, 6, dtype=torch.bool)
    mask[rows, left] = True
    with torch.no_grad():
        dense.get_parameter("0.weight").mul_(mask)
        sparse.get_parameter("0.weight").copy_(dense.get_parameter("0.weight")[rows, left])
        sparse.get_parameter("0.bias").copy_(dense.get_parameter("0.bias"))
        sparse[2].load_state_dict(dense[2].state_dict())
    penalty = SparseGroupLasso(0.01)
    train(sparse, ProximalOptimizer(make(list(sparse.parameters())), penalty.on(sparse)), 10)
    masked = penalty.on(dense, masks={"0.weight": mask})
    train(dense, ProximalOptimizer(make(list(dense.parameters())), masked), 10)
    torch.testing.assert_close(
        sparse.get_parameter("0.weight"), dense.get_parameter("0.weight")[rows, left], rtol=0, atol=1e-10
    )
    torch.testing.assert_close(sparse.get_parameter("2.weight"), dense.get_parameter("2.weight"), rtol=0, atol=1e-10)
    assert torch.equal(sparse.get_parameter("0.weight") == 0, dense.get_parameter("0.weight")[rows, left] == 0)


def test_a_scheduler_takes_it_for_the_optimizer_it_is() -> None:
    """Down to a rate of 0, at which nothing moves."""
    model, plain = small(), small()
    optimizer = ProximalOptimizer(Adam(model.parameters(), lr=0.01), L1(0.01).on(model))
    alone = Adam(plain.parameters(), lr=0.01)
    schedule, expected = CosineAnnealingLR(optimizer, T_max=10), CosineAnnealingLR(alone, T_max=10)
    for _ in range(10):
        train(model, optimizer, 1, schedule)
        train(plain, alone, 1, expected)
        assert schedule.get_last_lr() == expected.get_last_lr()
        assert optimizer.optimizer.param_groups[0]["lr"] == alone.param_groups[0]["lr"]
    assert optimizer.param_groups[0]["lr"] == 0
    before = weights(model)
    train(model, optimizer, 1)
    assert same(before, weights(model))


@every_optimizer
def test_going_on_from_a_state_is_going_on(make: Make) -> None:
    """Through a file, in the midst of a warm-up and of a schedule."""

    def fresh() -> tuple[nn.Module, ProximalOptimizer, CosineAnnealingLR]:
        model = small()
        regularizer = SparseGroupLasso(0.02).on(model)
        optimizer = ProximalOptimizer(make(list(model.parameters())), regularizer, warm_up=15)
        return model, optimizer, CosineAnnealingLR(optimizer, T_max=20)

    model, optimizer, schedule = fresh()
    train(model, optimizer, 8, schedule)
    file = io.BytesIO()
    torch.save([model.state_dict(), optimizer.state_dict(), schedule.state_dict()], file)
    train(model, optimizer, 8, schedule)

    again, resumed, its_schedule = fresh()
    file.seek(0)
    states: list[dict[str, Any]] = torch.load(file)
    for part, state in zip((again, resumed, its_schedule), states, strict=True):
        part.load_state_dict(state)
    assert resumed.steps == 8
    train(again, resumed, 8, its_schedule)
    assert same(weights(model), weights(again))
    assert resumed.optimizer.param_groups[0]["lr"] == resumed.param_groups[0]["lr"]


@every_optimizer
def test_both_stay_one_when_the_inner_one_loads_a_state(make: Make) -> None:
    """Also the groups that a scheduler changes, and whichever of the two the state comes from."""
    model = small()
    inner = make(list(model.parameters()))
    optimizer = ProximalOptimizer(inner, L1(0.01).on(model))
    train(model, optimizer, 2)
    for state in (inner.state_dict(), optimizer.state_dict()):
        inner.load_state_dict(state)
        assert optimizer.param_groups is inner.param_groups
        assert optimizer.state is inner.state
        schedule = CosineAnnealingLR(optimizer, T_max=4)
        train(model, optimizer, 1, schedule)
        assert inner.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] == schedule.get_last_lr()[0]
    optimizer.param_groups[0]["lr"] = 0.0
    before = weights(model)
    train(model, optimizer, 1)
    assert same(before, weights(model))


@every_optimizer
def test_parameters_without_a_gradient_stay(make: Make) -> None:
    """In their first step and later ones."""
    model = small()
    before = weights(model)
    optimizer = ProximalOptimizer(make(list(model.parameters())), L1(1.0).on(model))
    optimizer.step()
    assert same(before, weights(model))
    train(model, optimizer, 1)
    model.get_parameter("0.weight").grad = None
    before = weights(model)
    optimizer.step()
    assert torch.equal(before[0], weights(model)[0])
    assert not torch.equal(before[1], weights(model)[1])


def test_weights_that_adam_never_saw_a_gradient_of_are_zero_at_once() -> None:
    """Such as those of a pixel that is always 0: the metric is eps / lr, and the least pull wins."""
    model = small()
    optimizer = ProximalOptimizer(Adam(model.parameters()), L1(1e-3).on(model))
    model.get_parameter("0.weight").grad = torch.zeros(8, 6, dtype=torch.float64)
    optimizer.step()
    assert bool((model.get_parameter("0.weight") == 0).all())


def test_a_closure_is_called_and_its_loss_returned() -> None:
    model, other = small(), small()
    optimizer = ProximalOptimizer(SGD(model.parameters(), lr=0.1), L1(0.1).on(model))

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(INPUTS), LABELS)
        loss.backward()
        return loss

    expected = nn.functional.cross_entropy(other(INPUTS), LABELS).item()
    assert optimizer.step(closure).item() == expected
    train(other, ProximalOptimizer(SGD(other.parameters(), lr=0.1), L1(0.1).on(other)), 1)
    assert same(weights(model), weights(other))


def test_slimming_scales_of_batch_norm() -> None:
    """L1 on the scales alone: exact zeros there, and nowhere else."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).double()
    scales = L1(0.1).on(model, parameters=[model.get_parameter("1.weight")])
    train(model, ProximalOptimizer(SGD(model.parameters(), lr=0.1), scales), 150)
    assert 0 < int((model.get_parameter("1.weight") == 0).sum()) < 8
    assert not bool((model.get_parameter("0.weight") == 0).any())
    assert not bool((model.get_parameter("3.weight") == 0).any())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "strength", "epochs"),
    [
        (lambda parameters: SGD(parameters, lr=0.05, momentum=0.9), 3e-3, 40),
        (lambda parameters: Adam(parameters, lr=3e-3), 2e-3, 25),
    ],
    ids=["SGD", "Adam"],
)
def test_digits_end_in_exact_zeros(make: Make, strength: float, epochs: int) -> None:
    """Weights, neurons and features go, without a threshold, and most of the digits held out are right."""
    X, y = load_digits(return_X_y=True)
    X, y = torch.tensor(X, dtype=torch.float32) / 16, torch.tensor(y)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 20), nn.ReLU(), nn.Linear(20, 10))
    penalty = ps.sparsity.SparseGroupLasso(strength)
    optimizer = ProximalOptimizer(make(list(model.parameters())), penalty.on(model), warm_up=200)
    assert left_over(model).zeros == 0
    for _ in range(epochs):
        for rows in torch.randperm(1400).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X[rows]), y[rows]).backward()
            optimizer.step()
    left = left_over(model)
    assert left.exact_zeros > 0.4
    assert all(layer.left < layer.neurons for layer in left.layers)
    assert (model(X[1400:]).argmax(1) == y[1400:]).float().mean() > 0.85


class TestErrors:
    @pytest.mark.parametrize("kind", [torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.NAdam])
    def test_another_optimizer(self, kind: type[torch.optim.RMSprop]) -> None:
        model = small()
        with pytest.raises(ArgumentError) as error:
            ProximalOptimizer(kind(model.parameters()), L1(0.1).on(model))
        assert str(error.value) == (
            f"the optimizer must be SGD, Adam or AdamW, whose metric is known, and is {kind.__name__}"
        )

    def test_a_penalty_that_is_on_nothing(self) -> None:
        with pytest.raises(ArgumentError, match=r"the regularizer must be what penalty.on\(model\) returns, and is L1"):
            ProximalOptimizer(SGD(small().parameters()), L1(0.1))  # pyright: ignore[reportArgumentType]

    def test_parameters_that_the_optimizer_does_not_train(self) -> None:
        model = small()
        with pytest.raises(ArgumentError) as error:
            ProximalOptimizer(SGD(model[0].parameters()), GroupLasso(0.1).on(model))
        assert str(error.value) == (
            "the optimizer does not train 2.weight, 2.bias: give it these, or leave them out of the penalty"
        )

    @pytest.mark.parametrize("warm_up", [-1, 0.5, True, None])
    def test_warm_up(self, warm_up: int) -> None:
        model = small()
        with pytest.raises(ArgumentError) as error:
            ProximalOptimizer(SGD(model.parameters()), L1(0.1).on(model), warm_up=warm_up)
        assert str(error.value) == f"warm_up must be a whole number of steps, at least 0, and is {warm_up!r}"

    def test_the_state_of_another_optimizer(self) -> None:
        model = small()
        inner = SGD(model.parameters())
        with pytest.raises(ArgumentError) as error:
            ProximalOptimizer(inner, L1(0.1).on(model)).load_state_dict(inner.state_dict())
        assert str(error.value) == (
            "not the state of a ProximalOptimizer, for it lacks proximal_steps: "
            "load it into the optimizer itself, before that goes into a ProximalOptimizer"
        )
