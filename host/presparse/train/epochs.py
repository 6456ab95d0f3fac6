"""The training loop that all networks here share: mini-batches, a falling learning rate, the best epoch kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from presparse.errors import ArgumentError

_EVALUATED_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """What one epoch reached."""

    loss: float
    """Mean over the epoch's samples of the loss, penalties left out; `fit`: cross-entropy (sigmoid) or squared error
    (identity), summed over outputs."""
    accuracy: float
    """Of the epoch's training samples, each before its own update; 0 to 1."""
    validation_accuracy: float | None
    """Of the validation set after the epoch; None without one."""


Progress = Callable[[int, int, Metrics], None]
"""Called after every epoch with its number (from 1), the number of epochs, and its metrics."""


class Stepper(Protocol):
    """What trains parameters: every `torch.optim.Optimizer`, and whatever has its two methods."""

    def zero_grad(self) -> None: ...

    def step(self) -> Any: ...


def train_epochs(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    optimizer: Stepper,
    loss: Callable[[Tensor, Tensor], Tensor],
    classes: Callable[[Tensor], Tensor],
    held_out: tuple[Tensor, Tensor] | None,
    epochs: int,
    batch: int,
    seed: int,
    penalty: Callable[[], Tensor] | None = None,
    after_step: Callable[[], None] | None = None,
    progress: Progress | None = None,
) -> None:
    """Train a network in place. The best epoch on `held_out` is kept, the last one without it; Ctrl-C keeps it, too.

    Parameters
    ----------
    inputs, labels : (k, ...), (k,)
        What the network takes, and class numbers, on the network's device.
    optimizer : Stepper
        The learning rates of a `torch.optim.Optimizer` fall to 0 along a cosine, and come back in the end.
    loss : (m, outputs), (m,) -> scalar
        Summed over a batch; its mean, plus the penalty, is what is minimized.
    classes : (m, outputs) -> (m,)
    held_out : inputs and labels, in the same form
    after_step : called after every step, to put weights right
    """
    scheduled = optimizer if isinstance(optimizer, Optimizer) else None
    rates = [group["lr"] for group in scheduled.param_groups] if scheduled else []
    steps = epochs * len(_batches(torch.arange(len(inputs)), batch, network))
    schedule = CosineAnnealingLR(scheduled, T_max=steps) if scheduled else None
    modes = {module: module.training for module in network.modules()}
    order = torch.Generator().manual_seed(seed)
    kept, best = deepcopy(network.state_dict()), -1.0
    with _threads_for(network, inputs[:batch]):
        try:
            for epoch in range(1, epochs + 1):
                total, correct = 0.0, 0
                network.train()
                for rows in _batches(torch.randperm(len(inputs), generator=order), batch, network):
                    rows = rows.to(inputs.device)
                    outputs = network(inputs[rows])
                    value = loss(outputs, labels[rows])
                    objective = value / len(rows)
                    if penalty:
                        objective = objective + penalty()
                    optimizer.zero_grad()
                    objective.backward()
                    optimizer.step()
                    if schedule:
                        schedule.step()
                    if after_step:
                        after_step()
                    total += value.item()
                    correct += int((classes(outputs.detach()) == labels[rows]).sum())
                reached = accuracy(network, *held_out, classes) if held_out else None
                if reached is None or reached > best:
                    kept, best = deepcopy(network.state_dict()), reached or 0.0
                if progress:
                    metrics = Metrics(
                        loss=total / len(inputs), accuracy=correct / len(inputs), validation_accuracy=reached
                    )
                    progress(epoch, epochs, metrics)
        except KeyboardInterrupt:
            pass  # what was trained so far is the result
        finally:
            network.load_state_dict(kept)
            for module, mode in modes.items():
                module.training = mode
            for group, rate in zip(scheduled.param_groups if scheduled else [], rates, strict=True):
                group["lr"] = rate


def check_schedule(epochs: int, batch: int, rate: float) -> None:
    """Raise ArgumentError unless all three are positive."""
    for name, value in (("epochs", epochs), ("batch", batch)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ArgumentError(f"{name} must be a whole number, at least 1, and is {value!r}")
    if not 0 < rate < math.inf:
        raise ArgumentError(f"the learning rate must be a positive number, such as 0.01, and is {rate!r}")


@torch.no_grad()
def accuracy(network: nn.Module, inputs: Tensor, labels: Tensor, classes: Callable[[Tensor], Tensor]) -> float:
    """Share of inputs (k, ...) whose class is the label (k,); leaves the network in evaluation mode."""
    network.eval()
    parts = zip(inputs.split(_EVALUATED_AT_ONCE), labels.split(_EVALUATED_AT_ONCE), strict=True)
    correct = sum(int((classes(network(part)) == wanted).sum()) for part, wanted in parts)
    return correct / len(labels)


def _batches(order: Tensor, batch: int, network: nn.Module) -> list[Tensor]:
    """Row numbers, `batch` at a time. BatchNorm cannot learn from one sample: if one is left over, it joins others."""
    batches = list(order.split(batch))
    normalizes = any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in network.modules())
    if normalizes and len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


@contextmanager
def _threads_for(network: nn.Module, inputs: Tensor) -> Iterator[None]:
    """One torch thread for small batches, where more only wait for each other; the setting comes back after."""
    threads = torch.get_num_threads()
    largest = max((parameter.numel() for parameter in network.parameters()), default=0)
    if inputs.ndim == 2 and len(inputs) * largest < 1 << 20:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
