"""Mini-batch training that ends in the integers a board runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from presparse.contract.network import Network
from presparse.contract.pattern import PatternKind
from presparse.data import Scaling, scaling
from presparse.errors import ArgumentError
from presparse.model import Model, checked_features, checked_labels
from presparse.train.network import SparseNetwork
from presparse.train.quantised import QuantisedNetwork

_EVALUATED_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """What one epoch reached."""

    loss: float
    """Mean over the epoch's samples: cross-entropy (sigmoid) or squared error (identity), summed over outputs."""
    accuracy: float
    """Of the epoch's training samples, each before its own update; 0 to 1."""
    validation_accuracy: float | None
    """Of the validation set after the epoch; None without one."""


Progress = Callable[[int, int, Metrics], None]
"""Called after every epoch with its number (from 1), the number of epochs, and its metrics."""


def fit(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    epochs: int = 40,
    batch: int = 32,
    rate: float = 0.02,
    seed: int = 0,
    pattern: PatternKind = "seed per sweep",
    scale: Scaling = "per feature",
    quantised: bool = True,
    progress: Progress | None = None,
) -> Model:
    """Train a fresh network; the integer model that a board runs. The same arguments give the same model.

    With `quantised`, training sees the board's rounding all along, and the accuracy it reports is the
    board's; without, real numbers are trained, and rounded once at the end.
    The best epoch on `validation` (X, y) is kept, the last one without it. Ctrl-C keeps the best so far.
    For the network behind the model (its accuracy in floating point, say) use `fit_network`.

    X is (k, features) in its own units, y (k,) class numbers from 0; `scale` says how features are brought to
    the board's range (`presparse.data.scaling`). `batch` samples share one step of Adam, whose first rate is `rate`.

    Raises FeatureError for data that does not fit the network, PatternError for a pattern that clashes,
    ArgumentError for epochs, batch or rate that are not positive.
    """
    _check(epochs, batch, rate)
    initial = QuantisedNetwork if quantised else SparseNetwork
    offset, gain = scaling(checked_features(X, network.features), scale)
    fresh = initial.initial(network, pattern=pattern, seed=seed, offset=offset, gain=gain)
    fresh.model()  # a pattern that clashes is refused before hours of training, not after
    fit_network(fresh, X, y, validation=validation, epochs=epochs, batch=batch, rate=rate, seed=seed, progress=progress)
    return fresh.model()


def fit_network(
    network: SparseNetwork,
    X: ArrayLike,
    y: ArrayLike,
    *,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    epochs: int = 40,
    batch: int = 32,
    rate: float = 0.02,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Train a network in place, from wherever it starts: Adam, its rate falling to 0 along a cosine.

    A `QuantisedNetwork` is trained quantisation-aware. Arguments and errors as for `fit`.
    """
    _check(epochs, batch, rate)
    shape = network.network
    inputs = network.inputs(X)
    labels = torch.from_numpy(checked_labels(y, len(inputs), shape.classes))
    held_out = None
    if validation is not None:
        held_inputs = network.inputs(validation[0])
        held_out = held_inputs, torch.from_numpy(checked_labels(validation[1], len(held_inputs), shape.classes))

    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    batches = -(-len(inputs) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=max(1, epochs * batches))
    order = torch.Generator().manual_seed(seed)
    kept, best = deepcopy(network.state_dict()), -1.0
    with _threads_for(batch * max(layer.weight.numel() for layer in network.sparse_layers)):
        try:
            for epoch in range(1, epochs + 1):
                loss, correct = 0.0, 0
                for rows in torch.randperm(len(inputs), generator=order).split(batch):
                    sums = network(inputs[rows])
                    value = output_loss(network, sums, labels[rows])
                    optimiser.zero_grad(set_to_none=True)
                    (value / len(rows)).backward()
                    optimiser.step()
                    schedule.step()
                    if isinstance(network, QuantisedNetwork):
                        network.clamp()
                    loss += value.item()
                    correct += int((network.classes(sums.detach()) == labels[rows]).sum())
                reached = accuracy(network, *held_out) if held_out else None
                if reached is None or reached > best:
                    kept, best = deepcopy(network.state_dict()), reached or 0.0
                if progress:
                    metrics = Metrics(
                        loss=loss / len(inputs), accuracy=correct / len(inputs), validation_accuracy=reached
                    )
                    progress(epoch, epochs, metrics)
        except KeyboardInterrupt:
            pass  # what was trained so far is the result
        finally:
            network.load_state_dict(kept)


def _check(epochs: int, batch: int, rate: float) -> None:
    for name, value in (("epochs", epochs), ("batch", batch)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ArgumentError(f"{name} must be a whole number, at least 1, and is {value!r}")
    if not 0 < rate < math.inf:
        raise ArgumentError(f"the learning rate must be a positive number, such as 0.01, and is {rate!r}")


def output_loss(network: SparseNetwork, sums: Tensor, labels: Tensor) -> Tensor:
    """Loss of output sums (k, N_L), summed: its gradient is score minus target, as on the board.

    Padding outputs count as classes that are never right: the board trains them so, too.
    """
    targets = nn.functional.one_hot(labels, network.network.layers[-1]).to(sums.dtype)
    if network.network.activations[-1] == "sigmoid":
        return nn.functional.binary_cross_entropy_with_logits(sums, targets, reduction="sum")
    return (sums - targets).square().sum() / 2


@torch.no_grad()
def accuracy(network: SparseNetwork, inputs: Tensor, labels: Tensor) -> float:
    """Share of inputs (k, N_0) whose class is the label (k,)."""
    parts = zip(inputs.split(_EVALUATED_AT_ONCE), labels.split(_EVALUATED_AT_ONCE), strict=True)
    correct = sum(int((network.classes(network(part)) == wanted).sum()) for part, wanted in parts)
    return correct / len(labels)


@contextmanager
def _threads_for(numbers: int) -> Iterator[None]:
    """One torch thread for small batches, where more only wait for each other; the setting comes back after."""
    threads = torch.get_num_threads()
    if numbers < 1 << 20:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
