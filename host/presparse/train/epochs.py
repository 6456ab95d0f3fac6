"""The training loop that all networks here share: mini-batches, a falling learning rate, the best epoch kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from presparse.errors import TrainingError
from presparse.fitting.checkpoint import Checkpoint
from presparse.history import PROGRESS_SECONDS, Callback, Epoch, History, Progress, StopTraining, report
from presparse.train.position import Position, Tally, restore, write

_EVALUATED_AT_ONCE = 4096
_WORTH_THREADS = 1 << 24
"""Products per layer and step from which more torch threads pay. Below, a busy computer may be 40 times slower with
two: each step waits for the slower one, dozens of times."""
_RATES = "lr", "initial_lr"
"""Entries of an optimizer's parameter groups that a schedule changes."""
_LOWER = "train with a lower lr, or scaled features"


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
    anew: Callable[[int], Tensor] | None = None,
    epochs: int,
    batch_size: int,
    seed: int,
    weigh: Callable[[Tensor], Tensor] = torch.ones_like,
    penalty: Callable[[], Tensor] | None = None,
    after_step: Callable[[], None] | None = None,
    warm_up: float = 0.0,
    patience: int | None = None,
    callback: Callback | None = None,
    keep_on_interrupt: bool = False,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Train a network in place. The best epoch on `held_out` is kept, without it the last; of equally many right
    answers those with the lowest loss are best.

    Ctrl-C, a callback's wish and an exception of its own end the training once the network is whole: with what was
    best so far, or, without `held_out`, with what was trained until then. Then Ctrl-C raises KeyboardInterrupt, unless
    `keep_on_interrupt`. Raises TrainingError if the loss or a parameter is no longer finite.

    Parameters
    ----------
    inputs, labels : (k, ...), (k,)
        What the network takes, and class numbers, on the network's device.
    optimizer : Stepper
        The learning rates of a `torch.optim.Optimizer` rise in the share `warm_up` of the steps, then fall to 0 along a
        cosine, and come back in the end, with nothing of the schedule left behind.
    loss : (m, outputs), (m,) -> scalar
        Summed over a batch; its mean, plus the penalty, is what is minimized.
    weigh : (m,) class numbers -> (m,)
        How much samples of these classes count in accuracies; in the loss it is the caller's business.
    classes : (m, outputs) -> (m,)
    held_out : inputs and labels, in the same form
    anew : epoch -> (k, ...)
        Inputs that are learned in that epoch instead, if they are others in each.
    after_step : called after every step, to put weights right
    patience : epochs without more right answers on `held_out` after which the training ends
    checkpoint : of a `torch.optim.Optimizer` alone
        The training goes on from it, writes it when it is due and when it ends, and is in the end what it would have
        been in one go, but for seconds.
    """
    scheduled = optimizer if isinstance(optimizer, Optimizer) else None
    groups = scheduled.param_groups if scheduled else []
    rates = [{key: deepcopy(group[key]) for key in _RATES if key in group} for group in groups]
    for group in groups:
        group.pop("initial_lr", None)  # of an earlier schedule; this one begins at lr
    steps = epochs * len(_batches(torch.arange(len(inputs)), batch_size, network))
    schedule = LambdaLR(scheduled, partial(rate_at, steps=steps, warm_up=round(warm_up * steps))) if scheduled else None
    modes = {module: module.training for module in network.modules()}
    order = torch.Generator().manual_seed(seed)
    position = Position(order=order.get_state())
    history = History(source="host", reason="PyTorch trains on this computer")
    if checkpoint and scheduled and schedule and (found := checkpoint.read()):
        position = restore(found, network, scheduled, schedule)
        order.set_state(position.order)
        history.epochs += found.epochs

    def keep() -> None:
        if checkpoint and scheduled and schedule:
            write(checkpoint, position, network, scheduled, schedule, history.epochs[: position.epoch - 1])

    with _threads_for(network, inputs[:batch_size]):
        try:
            for epoch in range(position.epoch, epochs + 1):
                if patience and held_out and epoch - 1 - position.gained >= patience:
                    break
                counting = _Counting(epoch, epochs, len(inputs), scheduled, callback, position.tally)
                network.train()
                learned = inputs if anew is None else anew(epoch)
                try:
                    batches = _batches(torch.randperm(len(inputs), generator=order), batch_size, network)
                    for rows in batches[position.batches :]:
                        rows = rows.to(inputs.device)
                        outputs = network(learned[rows])
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
                        if not math.isfinite(value.item()):
                            raise TrainingError(f"the loss is {value.item()} in epoch {epoch}: it diverged; {_LOWER}")
                        counts = weigh(labels[rows])
                        right = counts[classes(outputs.detach()) == labels[rows]].sum()
                        counting.add(len(rows), value.item(), right.item(), counts.sum().item())
                        position.batches += 1
                        position.tally = counting.tally
                        if checkpoint and checkpoint.due():
                            keep()
                        counting.tell()
                except BaseException:
                    if counting.samples:
                        history.epochs.append(counting.epoch(None))
                    raise
                seconds = counting.seconds
                reached, held_loss = measured(network, *held_out, classes, loss, weigh) if held_out else (None, 0.0)
                if reached is not None and reached > position.best:
                    position.gained = epoch
                if reached is not None and (reached, -held_loss) > (position.best, -position.best_loss):
                    position.kept, position.best_epoch = deepcopy(network.state_dict()), epoch
                    position.best, position.best_loss = reached, held_loss
                history.epochs.append(counting.epoch(reached, seconds))
                position = replace(position, order=order.get_state(), epoch=epoch + 1, batches=0, tally=Tally())
                counting.finish(reached)
            keep()
        except KeyboardInterrupt:
            history.interrupted = True
            if not keep_on_interrupt:
                raise
        except StopTraining:
            history.stopped = True
            keep()
        finally:
            if position.kept is not None:
                network.load_state_dict(position.kept)
                history.kept = position.best_epoch
            for module, mode in modes.items():
                module.training = mode
            for group, own in zip(groups, rates, strict=True):
                group.pop("initial_lr", None)
                group.update(own)
    for name, parameter in network.named_parameters():
        if not parameter.isfinite().all():
            raise TrainingError(f"{name} is no longer finite: the training diverged; {_LOWER}")
    return history


def rate_at(step: int, *, steps: int, warm_up: int) -> float:
    """What the first rate is multiplied with: it rises for `warm_up` steps, and falls to 0 along a cosine."""
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up))) / 2


class _Counting:
    """Counts one epoch, and reports."""

    def __init__(
        self,
        epoch: int,
        epochs: int,
        of: int,
        optimizer: Optimizer | None,
        callback: Callback | None,
        before: Tally,
    ) -> None:
        self._epoch, self._epochs, self._of, self._optimizer, self._callback = epoch, epochs, of, optimizer, callback
        self.samples, self._loss, self._right, self._counts = before.samples, before.loss, before.right, before.counts
        self._lr = self._rate() if before.lr is None else before.lr
        self._told = time.perf_counter()
        self._began = self._told - before.seconds

    @property
    def seconds(self) -> float:
        """Since the epoch began."""
        return time.perf_counter() - self._began

    @property
    def tally(self) -> Tally:
        return Tally(self.samples, self._loss, self._right, self._counts, self.seconds, self._lr)

    def add(self, samples: int, loss: float, right: float, counts: float) -> None:
        """A batch was learned: how much its right samples count, and how much all do."""
        self.samples += samples
        self._loss += loss
        self._right += right
        self._counts += counts

    def tell(self) -> None:
        """Report from time to time. Raises StopTraining if the callback wants it."""
        if self.samples < self._of and time.perf_counter() - self._told >= PROGRESS_SECONDS:
            self._told = time.perf_counter()
            report(self._callback, self._progress(None))

    def epoch(self, validation: float | None, seconds: float | None = None) -> Epoch:
        """The epoch's entry in the history."""
        return Epoch(
            lr=self._lr,
            samples=self.samples,
            accuracy=self._right / self._counts,
            loss=self._loss / self.samples,
            validation=validation,
            seconds=self.seconds if seconds is None else seconds,
        )

    def finish(self, validation: float | None) -> None:
        """Report the whole epoch. Raises StopTraining if the callback wants it."""
        report(self._callback, self._progress(validation))

    def _progress(self, validation: float | None) -> Progress:
        return Progress(
            epoch=self._epoch,
            epochs=self._epochs,
            samples=self.samples,
            of=self._of,
            samples_per_second=self.samples / max(self.seconds, 1e-9),
            lr=self._rate(),
            accuracy=self._right / self._counts,
            loss=self._loss / self.samples,
            validation=validation,
        )

    def _rate(self) -> float:
        """Of the optimizer's first group; 0 for a stepper whose rate nobody knows."""
        return float(self._optimizer.param_groups[0]["lr"]) if self._optimizer else 0.0


@torch.no_grad()
def measured(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    classes: Callable[[Tensor], Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
    weigh: Callable[[Tensor], Tensor],
) -> tuple[float, float]:
    """Share of inputs (k, ...) whose class is the label (k,), and their summed loss; leaves the network in evaluation
    mode."""
    network.eval()
    counts, right, lost = weigh(labels), [], 0.0
    for part, wanted in zip(inputs.split(_EVALUATED_AT_ONCE), labels.split(_EVALUATED_AT_ONCE), strict=True):
        outputs = network(part)
        right.append(classes(outputs) == wanted)
        lost += float(loss(outputs, wanted))
    return counts[torch.cat(right)].sum().item() / counts.sum().item(), lost


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
    if inputs.ndim == 2 and len(inputs) * largest < _WORTH_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
