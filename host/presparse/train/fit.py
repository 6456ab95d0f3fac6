"""Mini-batch training that ends in the integers a board runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from presparse.contract.description import shortened
from presparse.contract.network import Network
from presparse.contract.pattern import Pattern
from presparse.errors import ArgumentError
from presparse.features.convolution import Convolution
from presparse.features.scaling import Scaling
from presparse.features.shifts import Shifts
from presparse.fitting.checkpoint import Checkpoint
from presparse.fitting.class_weight import ClassWeight
from presparse.fitting.diagnosis import diagnose_samples
from presparse.fitting.fresh import Fresh
from presparse.fitting.holding_out import Part, Validation, parted
from presparse.history import Callback, History
from presparse.model import Model
from presparse.support.digests import digest
from presparse.train.epochs import train_epochs
from presparse.train.network import BoundedNetwork, SparseNetwork
from presparse.train.plan import BATCH_SIZE, LearningRate, Plan, class_weights, held_out_by
from presparse.train.quantized import QuantizedNetwork
from presparse.validation import checked_samples, checked_seed


def fit(
    network: Network | str | Path,
    X: ArrayLike,
    y: ArrayLike,
    *,
    validation: Validation = None,
    epochs: int | None = None,
    batch_size: int = BATCH_SIZE,
    lr: LearningRate = "auto",
    patience: int | None = None,
    class_weight: ClassWeight = None,
    random_state: int = 0,
    pattern: Pattern = None,
    scale: Scaling = "auto",
    convolution: Convolution | None = None,
    shift: int = 0,
    quantized: bool = True,
    progress: Callback | None = None,
    keep_on_interrupt: bool = False,
    checkpoint: str | Path | None = None,
) -> Model:
    """Train a fresh network; the integer model that a board runs, with the training's `history`. The same arguments
    give the same model.

    With `quantized`, training sees the board's rounding all along, and the accuracy it reports is the
    board's; without, real numbers are trained, in the ranges that the board has, and rounded once at the end.
    The best epoch on `validation` is kept, the last one without it: (X, y), or a share or number of the samples, which
    are then not trained: drawn with `random_state`, every class in proportion (`presparse.fitting.holding_out`).
    For the network behind the model (its accuracy in floating point, say) use `fit_network`.

    `network` may be a name or path. X is (k, features) in its own units, y (k,) class numbers from 0, or any
    labels (`Model.classes_`); `scale` says how features are brought to the board's range
    (`presparse.features.scaling`). `pattern` is a kind, a function, or arrays (`presparse.contract.pattern.Pattern`);
    by default windows if the network has images, else 'seed per sweep'. With a `convolution`, which is not trained, X
    holds images (k, pixels) and their features are the network's (`presparse.features.Convolution`). With a `shift` of
    1 or more images are moved by up to so many rows and columns, otherwise in every epoch
    (`presparse.features.shifts`).

    `batch_size` samples share one step of Adam, whose rate falls from `lr` to 0 along a cosine; 'auto': it rises first,
    to one that suits most data, and weights decay (`presparse.train.plan`). `epochs` is None for as many as make
    100,000 samples, and 20 at least. The training ends early when `patience` epochs have brought no more right answers
    on `validation`, or, without it, on a tenth of the samples. With class_weight 'balanced' every class counts alike,
    in the loss and in all accuracies of the history. `history.chosen` says what was chosen where you left it open. A
    training that has not learned warns (LearningWarning), and says what to try; `history.warnings` has the same.

    `progress` is called with a `Progress` several times per second; if it returns True, the training ends there. Ctrl-C
    raises KeyboardInterrupt, or, with `keep_on_interrupt`, ends the training: the model has what was learned.

    `checkpoint` names a file that is written every minute and in the end. If it is there already, the training goes on
    from it, and the model is the one of a training in one go. Remove it when the model is saved.

    Raises FeatureError for data that does not fit the network, PatternError for a pattern that clashes,
    ArgumentError for epochs, batch_size, lr, random_state, a convolution or a shift that are not what they must be,
    NetworkError for a network that cannot be read, ModelError for a checkpoint of another training, OutputError for one
    that cannot be written, TrainingError if the training diverges.
    """
    network = Network.given(network)
    seed = checked_seed(random_state)
    start = Fresh.of(network, X, y, scale=scale, pattern=pattern, convolution=convolution, seed=seed)
    checked = partial(checked_samples, features=start.width, classes_=start.classes_, names=start.names)
    shifts = Shifts.of(shift, seed, network, start.width, convolution)
    samples = checked(X, y)
    learn, held = parted(samples, held_out_by(validation, patience, len(samples[1])), seed, checked)
    plan = Plan.of(epochs, batch_size, lr, patience, class_weight, samples=len(learn[1]))
    initial = QuantizedNetwork if quantized else BoundedNetwork
    inputs = start.inputs(learn[0])
    fresh = initial.initial(network, pattern=pattern, random_state=seed, inputs=inputs, classes_=start.classes_)
    fresh.model()  # a pattern that clashes is refused before hours of training, not after
    kept = None
    if checkpoint is not None:
        training = {
            "network": network.hash,
            "samples": digest(*learn, *(held or ())),
            "start": digest(*inputs.tensors().values(), *(tensor.numpy() for tensor in fresh.state_dict().values())),
            "classes": start.classes_.tolist(),
            "quantized": quantized,
            **plan.described(),
            "random_state": seed,
            **({} if shifts is None else {"shift": shifts.most}),
        }
        kept = Checkpoint(checkpoint, training)
    history = _train(fresh, learn, held, plan, seed, progress, keep_on_interrupt, kept, shifts)
    model = replace(fresh.model(), history=history)
    _warn(model, history, learn, held, plan)
    return model


def fit_network(
    network: SparseNetwork,
    X: ArrayLike,
    y: ArrayLike,
    *,
    validation: Validation = None,
    epochs: int | None = None,
    batch_size: int = BATCH_SIZE,
    lr: LearningRate = "auto",
    patience: int | None = None,
    class_weight: ClassWeight = None,
    random_state: int = 0,
    progress: Callback | None = None,
    keep_on_interrupt: bool = False,
) -> History:
    """Train a network in place, from wherever it starts.

    A `QuantizedNetwork` is trained quantization-aware. Arguments and errors as for `fit`.
    """
    if not isinstance(network, SparseNetwork):
        raise ArgumentError(
            f"network must be a SparseNetwork, and is {shortened(network)}; give SparseNetwork.initial(...), or use fit"
        )
    seed = checked_seed(random_state)
    checked = partial(checked_samples, features=network.width, classes_=network.classes_, names=network.scaled_by.names)
    samples = checked(X, y)
    learn, held = parted(samples, held_out_by(validation, patience, len(samples[1])), seed, checked)
    plan = Plan.of(epochs, batch_size, lr, patience, class_weight, samples=len(learn[1]))
    return _train(network, learn, held, plan, seed, progress, keep_on_interrupt)


def _train(
    network: SparseNetwork,
    learn: Part,
    held: Part | None,
    plan: Plan,
    seed: int,
    callback: Callback | None,
    keep_on_interrupt: bool,
    checkpoint: Checkpoint | None = None,
    shifts: Shifts | None = None,
) -> History:
    """The best epoch on `held` is kept."""
    weights = None
    if plan.balanced:
        weights = torch.from_numpy(class_weights(learn[1], network.network.classes))
    history = train_epochs(
        network,
        network.inputs_checked(learn[0]),
        torch.from_numpy(learn[1]),
        optimizer=adam(network.parameters(), plan.lr, plan.weight_decay),
        loss=lambda sums, wanted: output_loss(network, sums, wanted, weights),
        classes=network.classes,
        anew=None if shifts is None else lambda epoch: network.inputs_checked(shifts.moved(learn[0], epoch)),
        held_out=None if held is None else (network.inputs_checked(held[0]), torch.from_numpy(held[1])),
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        seed=seed,
        weigh=torch.ones_like if weights is None else weights.__getitem__,
        after_step=network.clamp if isinstance(network, BoundedNetwork) else None,
        warm_up=plan.warm_up,
        patience=plan.patience,
        callback=callback,
        keep_on_interrupt=keep_on_interrupt,
        checkpoint=checkpoint,
    )
    history.chosen = plan.chosen
    return history


def _warn(model: Model, history: History, learn: Part, held: Part | None, plan: Plan) -> None:
    """If a training that came to its end has not learned; every class counts as it did there."""
    if history.interrupted or history.stopped or not history.epochs:
        return
    found = diagnose_samples(*learn, None if held is None else held[1], history, model, balanced=plan.balanced)
    history.warnings = found.warnings
    found.warn(stacklevel=2)


def adam(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.0) -> torch.optim.AdamW:
    """The optimizer of all trainings here; fused, it takes a small part of a step's time."""
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=True)


def output_loss(network: SparseNetwork, sums: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Loss of output sums (k, N_L), summed: its gradient is score minus target, as on the board, or times the `weights`
    (classes,) of the labels.

    Padding outputs count as classes that are never right: the board trains them so, too.
    """
    targets = nn.functional.one_hot(labels, network.network.layers[-1]).to(sums.dtype)
    if network.network.activations[-1] == "sigmoid":
        each = nn.functional.binary_cross_entropy_with_logits(sums, targets, reduction="none")
    else:
        each = (sums - targets).square() / 2
    return each.sum() if weights is None else weights[labels] @ each.sum(1).to(weights.dtype)
