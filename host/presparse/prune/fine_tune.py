"""Training of any classifier in PyTorch: after pruning, or before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from presparse.arrays import numbers
from presparse.contract.description import shortened
from presparse.errors import ArgumentError, FeatureError
from presparse.fitting.holding_out import hold_out, is_pair
from presparse.history import Callback, History
from presparse.train.epochs import Stepper, train_epochs
from presparse.validation import checked_labels, checked_schedule, checked_seed

Loss = Callable[[Tensor, Tensor], Tensor]
"""Outputs (m, classes) and class numbers (m,) to the mean loss, a scalar."""


def fine_tune(
    model: nn.Module,
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    validation: tuple[ArrayLike | Tensor, ArrayLike | Tensor] | float | None = None,
    epochs: int = 10,
    batch_size: int = 64,
    lr: float = 0.001,
    optimizer: Literal["adam", "sgd"] | Stepper = "adam",
    loss: Loss = nn.functional.cross_entropy,
    penalty: Callable[[], Tensor] | None = None,
    keep_zeros: bool = True,
    random_state: int = 0,
    progress: Callback | None = None,
    keep_on_interrupt: bool = False,
) -> History:
    """Train a classifier in place, from where it stands. The same arguments give the same weights.

    The best epoch on `validation` is kept, the last one without it: (X, y), or a share or number of the samples, as for
    `presparse.train.fit`; never test data. The learning rate falls from `lr` to 0 along a cosine. `progress` and
    `keep_on_interrupt` are those of `presparse.train.fit`.

    Parameters
    ----------
    model : nn.Module
        (m, ...) -> (m, classes), larger for the likelier class; a `PrunedModel`, or any other. Its mode, training or
        evaluation, comes back after.
    X, y : (k, ...), (k,)
        Samples as the model takes them, and class numbers from 0. They are brought to the model's dtype and device.
    optimizer : 'adam', 'sgd' (momentum 0.9) or an object with zero_grad() and step()
        An object brings its own rates, and `lr` is not used; those of a `torch.optim.Optimizer`, such as
        `presparse.sparsity.ProximalOptimizer`, follow the same cosine, and come back after.
    penalty : callable
        Added to every batch's mean loss: `regularizer.value` of `presparse.sparsity`, say. Not for what a
        `ProximalOptimizer` already does.
    keep_zeros : bool
        Weights that are exactly 0 in the beginning stay 0 (weights only: not biases, nor the scales of BatchNorm). Give
        False to a model that starts with layers of zeros.

    Raises FeatureError for samples or classes that the model cannot take, ArgumentError for epochs, batch_size or lr
    that are not positive, a random_state that is no seed, an unknown optimizer, or single samples where BatchNorm needs
    two; TrainingError if the training diverges.
    """
    epochs, batch_size, lr = checked_schedule(epochs, batch_size, lr)
    seed = checked_seed(random_state)
    if not isinstance(model, nn.Module):
        raise ArgumentError(f"model must be a torch.nn.Module, and is {shortened(model)}; load it first")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ArgumentError("the model has no parameter to train; call requires_grad_() on what is to learn")
    samples = _samples(X, parameters[0])
    classes, normalizes = _classes(model, samples)
    labels = _labels(y, len(samples), classes, samples.device)
    held_out = None
    if is_pair(validation):
        held_samples = _samples(validation[0], parameters[0])
        _classes(model, held_samples)
        held_out = held_samples, _labels(validation[1], len(held_samples), classes, samples.device)
    elif validation is not None:
        learned, held = hold_out(labels.cpu().numpy(), validation, seed)
        held_out = samples[held], labels[held]
        samples, labels = samples[learned], labels[learned]
    if normalizes and min(batch_size, len(samples)) < 2:
        raise ArgumentError(
            f"the model has BatchNorm, which cannot learn from one sample at a time: batch_size is {batch_size}, of "
            f"{len(samples)} samples; give 2 or more of both"
        )

    zeros = {p: p == 0 for p in parameters if p.ndim > 1} if keep_zeros else {}

    @torch.no_grad()
    def restore_zeros() -> None:
        for parameter, zero in zeros.items():
            parameter.masked_fill_(zero, 0)

    with torch.random.fork_rng(devices=[samples.device] if samples.is_cuda else []):
        torch.manual_seed(seed)  # for dropout; the order of samples has a generator of its own
        return train_epochs(
            model,
            samples,
            labels,
            optimizer=_stepper(optimizer, parameters, lr),
            loss=lambda outputs, wanted: loss(outputs, wanted) * len(wanted),
            classes=lambda outputs: outputs.argmax(1),
            held_out=held_out,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            penalty=penalty,
            after_step=restore_zeros,
            callback=progress,
            keep_on_interrupt=keep_on_interrupt,
        )


def _stepper(optimizer: str | Stepper, parameters: list[nn.Parameter], lr: float) -> Stepper:
    if optimizer == "adam":
        return torch.optim.Adam(parameters, lr=lr)
    if optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9)
    if isinstance(optimizer, str) or not all(callable(getattr(optimizer, key, None)) for key in ("zero_grad", "step")):
        raise ArgumentError(
            f"optimizer must be 'adam', 'sgd' or an object with zero_grad() and step(), and is {optimizer!r}"
        )
    return optimizer


def _samples(X: ArrayLike | Tensor, like: Tensor) -> Tensor:
    """X (k, ...) in the dtype and on the device of `like`. Raises FeatureError unless it is finite real numbers."""
    if isinstance(X, Tensor) and X.layout == torch.strided and not X.is_complex():
        values = X
    else:
        array = numbers(X, "X")
        known = np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
        values = torch.from_numpy(np.array(array, known, order="C"))
    if values.ndim < 2 or not len(values):
        raise FeatureError(f"X must have shape (samples, ...), with at least one sample, and has {tuple(values.shape)}")
    values = values.detach().to(like.device, like.dtype)
    bad = (~values.isfinite()).nonzero()
    if len(bad):
        place = tuple(bad[0].tolist())
        raise FeatureError(
            f"X must be finite, and X{list(place)} is {values[place]} ({len(bad)} such in all); remove or impute it"
        )
    return values


@torch.no_grad()
def _classes(model: nn.Module, samples: Tensor) -> tuple[int, bool]:
    """How many classes the model tells apart, by its outputs for one sample; and whether a BatchNorm sees a single
    number per channel then, of which it cannot learn."""
    single = False

    def look(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        nonlocal single
        single |= given[0].numel() == given[0].shape[1]

    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        outputs = model(samples[:1])
    except RuntimeError as error:
        raise FeatureError(
            f"the model cannot take samples of shape {tuple(samples.shape[1:])} ({str(error).splitlines()[0]}); "
            "give X in the shape that its first layer takes"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    if outputs.ndim != 2:
        raise FeatureError(
            f"the model must give (samples, classes), and gives shape {tuple(outputs.shape)} for one sample"
        )
    return outputs.shape[1], single


def _labels(y: ArrayLike | Tensor, count: int, classes: int, device: torch.device) -> Tensor:
    return torch.from_numpy(checked_labels(y, count, np.arange(classes))).to(device)
