"""Random torch models with dead parts, and a plain oracle of what must be left of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from presparse.train.sparse_linear import SparseLinear

ACTIVATIONS: list[Callable[[], nn.Module]] = [
    nn.ReLU,
    nn.Sigmoid,
    nn.Tanh,
    lambda: nn.LeakyReLU(0.1),
    nn.GELU,
    nn.ELU,
    nn.Softplus,
    nn.PReLU,
    nn.Identity,
]


@dataclass
class Case:
    """A model in evaluation mode, and samples for it."""

    model: nn.Sequential
    x: Tensor


def random_case(seed: int, dtype: torch.dtype = torch.float64) -> Case:
    """A perceptron (even seeds) or a small convolutional network (odd seeds), of random layers, with dead parts."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    model, shape = (_perceptron if seed % 2 == 0 else _convolutional)(rng)
    share = rng.choice([0, 0.1, 0.2, 0.4])  # more, and nothing would be left of most networks
    with torch.no_grad():
        for module in model:
            _fill(module)
            _kill(module, rng, 0.95 if rng.random() < 0.03 else share)
    x = torch.randn(16, *shape, dtype=torch.float64)
    return Case(model.to(dtype).eval(), x.to(dtype))


def _perceptron(rng: np.random.Generator) -> tuple[nn.Sequential, tuple[int, ...]]:
    sizes = [int(n) for n in rng.integers(3, 14, size=rng.integers(2, 6))]
    layers: list[nn.Module] = [nn.Flatten()] if rng.random() < 0.3 else []
    for left, right in pairwise(sizes):
        if rng.random() < 0.3:
            degree = int(rng.integers(1, left + 1))
            layers.append(SparseLinear(left, np.array([rng.permutation(left)[:degree] for _ in range(right)])))
        else:
            layers.append(nn.Linear(left, right, bias=bool(rng.random() < 0.7)))
        layers += _after(rng, nn.BatchNorm1d(right))
    return nn.Sequential(*layers), (sizes[0],)


def _convolutional(rng: np.random.Generator) -> tuple[nn.Sequential, tuple[int, ...]]:
    size, channels = 12, int(rng.integers(1, 4))
    shape = channels, size, size
    layers: list[nn.Module] = []
    for _ in range(rng.integers(1, 4)):
        right, padding = int(rng.integers(2, 7)), int(rng.integers(0, 2))
        mode = "zeros" if rng.random() < 0.7 else "replicate"
        layers.append(nn.Conv2d(channels, right, 3, padding=padding, padding_mode=mode, bias=bool(rng.random() < 0.7)))
        layers += _after(rng, nn.BatchNorm2d(right))
        channels = right
    layers += [nn.MaxPool2d(2) if rng.random() < 0.5 else nn.AvgPool2d(2)] if rng.random() < 0.7 else []
    layers.append(nn.Flatten())
    with torch.no_grad():
        columns = nn.Sequential(*layers).eval()(torch.zeros(1, *shape)).shape[1]
    layers += [nn.Linear(columns, 6), *_after(rng, nn.BatchNorm1d(6)), nn.Linear(6, 3)]
    return nn.Sequential(*layers), shape


def _after(rng: np.random.Generator, norm: nn.Module) -> list[nn.Module]:
    """Perhaps BatchNorm, an activation, perhaps dropout."""
    layers = [norm] if rng.random() < 0.5 else []
    layers.append(ACTIVATIONS[rng.integers(len(ACTIVATIONS))]())
    return [*layers, nn.Dropout(0.5)] if rng.random() < 0.2 else layers


def _fill(module: nn.Module) -> None:
    """Weights, biases, BatchNorm parameters and running statistics away from their plain initial values."""
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        assert module.running_mean is not None
        assert module.running_var is not None
        module.running_mean.normal_()
        module.running_var.uniform_(0.5, 2)
        module.weight.normal_()
        module.bias.normal_()
    elif isinstance(module, SparseLinear | nn.Linear | nn.Conv2d):
        module.weight.normal_(std=1.5 / module.weight[0].numel() ** 0.5)
        if module.bias is not None:
            module.bias.normal_()


def _kill(module: nn.Module, rng: np.random.Generator, share: float) -> None:
    """Zero whole rows (a neuron without inputs), columns (one that nothing reads), single weights, and scales."""
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        module.weight[_some(rng, len(module.weight), share)] = 0
    elif isinstance(module, SparseLinear):
        module.weight[_some(rng, len(module.weight), share)] = 0
        module.weight[_some(rng, module.left_features, share)[module.left]] = 0
    elif isinstance(module, nn.Linear | nn.Conv2d):
        module.weight[_some(rng, len(module.weight), share)] = 0
        module.weight[:, _some(rng, module.weight.shape[1], share)] = 0
        module.weight[torch.rand_like(module.weight) < 0.2] = 0


def _some(rng: np.random.Generator, count: int, share: float) -> Tensor:
    return torch.from_numpy(rng.random(count) < share)


# --- the oracle -------------------------------------------------------------------------------------


def left_over(case: Case) -> tuple[list[int], tuple[int, ...]]:
    """Features that must stay, and all widths, by applying the rules of removal one channel at a time until none holds.

    1. A channel that no remaining channel of the next layer has a non-zero weight from.
    2. A channel of a constant: no non-zero weight from a remaining channel, or a BatchNorm scale of 0; unless the next
       layer pads with zeros, and it is not 0.
    """
    modules = list(case.model)
    places = [i for i, m in enumerate(modules) if isinstance(m, nn.Linear | SparseLinear | nn.Conv2d)]
    connected = [_connected(modules[place]) for place in places]  # per layer (right, left or columns)
    channels = [c.shape[0] for c in connected]
    features = connected[0].shape[1]
    for i in range(1, len(connected)):  # columns behind a Flatten belong to channels
        connected[i] = connected[i].reshape(len(connected[i]), channels[i - 1], -1).max(2)
    unread = []  # per layer (right,): a BatchNorm scale of 0 makes its value unimportant
    for place, count in zip(places, channels, strict=True):
        zero = np.zeros(count, dtype=bool)
        for module in modules[place + 1 : next((p for p in places if p > place), len(modules))]:
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                zero |= (module.weight == 0).numpy()
        unread.append(zero)
    values = _values_before(case, places)

    left = [set(range(features)), *(set(range(count)) for count in channels)]
    outputs = len(left) - 1
    changed = True
    while changed:
        changed = False
        for slot in range(outputs):
            for channel in sorted(left[slot]):
                readers = [j for j in left[slot + 1] if connected[slot][j, channel] and not unread[slot][j]]
                constant = slot > 0 and (
                    unread[slot - 1][channel] or not any(connected[slot - 1][channel, i] for i in left[slot - 1])
                )
                following = modules[places[slot]]
                borders = isinstance(following, nn.Conv2d) and following.padding != (0, 0)
                borders = borders and following.padding_mode == "zeros"  # pyright: ignore[reportAttributeAccessIssue]
                foldable = constant and not (borders and values[slot][channel] != 0)
                if not readers or foldable:
                    left[slot].remove(channel)
                    changed = True
    return sorted(left[0]) or [0], tuple(max(1, len(channels)) for channels in left)


def _connected(layer: nn.Module) -> NDArray[np.bool_]:
    """(right, left): there is a non-zero weight."""
    if isinstance(layer, SparseLinear):
        found = np.zeros((len(layer.weight), layer.left_features), dtype=bool)
        for right, (edges, weights) in enumerate(zip(layer.left.tolist(), layer.weight.tolist(), strict=True)):
            for edge, weight in zip(edges, weights, strict=True):
                found[right, edge] = weight != 0
        return found
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return (weight.detach() != 0).numpy().reshape(*weight.shape[:2], -1).max(2)


@torch.no_grad()
def _values_before(case: Case, places: list[int]) -> list[NDArray[np.float64]]:
    """Per weighted layer: the first sample's value of every channel that it is given, at the first pixel."""
    values: list[NDArray[np.float64]] = []
    x = case.x
    for place, module in enumerate(case.model):
        if place in places:
            image = x
            for back in reversed(list(case.model)[:place]):
                if isinstance(back, nn.Flatten):
                    image = None
            values.append(np.zeros(0) if image is None else x[0].reshape(x.shape[1], -1)[:, 0].double().numpy())
        x = module(x)
    return values
