"""Mini-batch training that ends in the integers a board runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from presparse.arrays import names_of
from presparse.contract.description import shortened
from presparse.contract.network import Network
from presparse.contract.pattern import Pattern
from presparse.errors import ArgumentError
from presparse.features.convolution import Convolution, width_for
from presparse.features.inputs import Inputs
from presparse.features.scaling import Scaling
from presparse.fitting.checkpoint import Checkpoint
from presparse.fitting.holding_out import Part, Validation, parted
from presparse.history import EPOCHS, Callback, History
from presparse.model import Model
from presparse.support.digests import digest
from presparse.train.epochs import train_epochs
from presparse.train.network import BoundedNetwork, SparseNetwork
from presparse.train.quantized import QuantizedNetwork
from presparse.validation import checked_samples, checked_schedule, checked_seed, classes_of

LR = 0.02
"""First learning rate of Adam, unless told otherwise."""
BATCH_SIZE = 32


def fit(
    network: Network | str | Path,
    X: ArrayLike,
    y: ArrayLike,
    *,
    validation: Validation = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    lr: float = LR,
    random_state: int = 0,
    pattern: Pattern = None,
    scale: Scaling = "auto",
    convolution: Convolution | None = None,
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
    (`presparse.features.scaling`). `batch_size` samples share one step of Adam, whose first rate is `lr`. `pattern` is
    a kind, a function, or arrays (`presparse.contract.pattern.Pattern`); by default windows if the network has images,
    else 'seed per sweep'. With a `convolution`, which is not trained, X holds images (k, pixels) and their features are
    the network's (`presparse.features.Convolution`).

    `progress` is called with a `Progress` several times per second; if it returns True, the training ends there. Ctrl-C
    raises KeyboardInterrupt, or, with `keep_on_interrupt`, ends the training: the model has what was learned.

    `checkpoint` names a file that is written every minute and in the end. If it is there already, the training goes on
    from it, and the model is the one of a training in one go. Remove it when the model is saved.

    Raises FeatureError for data that does not fit the network, PatternError for a pattern that clashes,
    ArgumentError for epochs, batch_size, lr, random_state or a convolution that are not what they must be, NetworkError
    for a network that cannot be read, ModelError for a checkpoint of another training, OutputError for one that cannot
    be written, TrainingError if the training diverges.
    """
    network = Network.given(network)
    epochs, batch_size, lr = checked_schedule(epochs, batch_size, lr)
    seed = checked_seed(random_state)
    classes_ = classes_of(y, network.classes)
    names = names_of(X)
    width = width_for(network.features, convolution)
    checked = partial(checked_samples, features=width, classes_=classes_, names=names)
    learn, held = parted(checked(X, y), validation, seed, checked)
    initial = QuantizedNetwork if quantized else BoundedNetwork
    inputs = Inputs.fit(learn[0], scale, names=names, convolution=convolution)
    fresh = initial.initial(network, pattern=pattern, random_state=seed, inputs=inputs, classes_=classes_)
    fresh.model()  # a pattern that clashes is refused before hours of training, not after
    kept = None
    if checkpoint is not None:
        training = {
            "network": network.hash,
            "samples": digest(*learn, *(held or ())),
            "start": digest(*inputs.tensors().values(), *(tensor.numpy() for tensor in fresh.state_dict().values())),
            "classes": classes_.tolist(),
            "quantized": quantized,
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "random_state": seed,
        }
        kept = Checkpoint(checkpoint, training)
    history = _train(fresh, learn, held, epochs, batch_size, lr, seed, progress, keep_on_interrupt, kept)
    return replace(fresh.model(), history=history)


def fit_network(
    network: SparseNetwork,
    X: ArrayLike,
    y: ArrayLike,
    *,
    validation: Validation = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    lr: float = LR,
    random_state: int = 0,
    progress: Callback | None = None,
    keep_on_interrupt: bool = False,
) -> History:
    """Train a network in place, from wherever it starts: Adam, its rate falling to 0 along a cosine.

    A `QuantizedNetwork` is trained quantization-aware. Arguments and errors as for `fit`.
    """
    if not isinstance(network, SparseNetwork):
        raise ArgumentError(
            f"network must be a SparseNetwork, and is {shortened(network)}; give SparseNetwork.initial(...), or use fit"
        )
    epochs, batch_size, lr = checked_schedule(epochs, batch_size, lr)
    seed = checked_seed(random_state)
    checked = partial(checked_samples, features=network.width, classes_=network.classes_, names=network.scaled_by.names)
    learn, held = parted(checked(X, y), validation, seed, checked)
    return _train(network, learn, held, epochs, batch_size, lr, seed, progress, keep_on_interrupt)


def _train(
    network: SparseNetwork,
    learn: Part,
    held: Part | None,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    callback: Callback | None,
    keep_on_interrupt: bool,
    checkpoint: Checkpoint | None = None,
) -> History:
    """The best epoch on `held` is kept."""
    return train_epochs(
        network,
        network.inputs_checked(learn[0]),
        torch.from_numpy(learn[1]),
        optimizer=torch.optim.Adam(network.parameters(), lr=lr, fused=True),
        loss=lambda sums, wanted: output_loss(network, sums, wanted),
        classes=network.classes,
        held_out=None if held is None else (network.inputs_checked(held[0]), torch.from_numpy(held[1])),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        after_step=network.clamp if isinstance(network, BoundedNetwork) else None,
        callback=callback,
        keep_on_interrupt=keep_on_interrupt,
        checkpoint=checkpoint,
    )


def output_loss(network: SparseNetwork, sums: Tensor, labels: Tensor) -> Tensor:
    """Loss of output sums (k, N_L), summed: its gradient is score minus target, as on the board.

    Padding outputs count as classes that are never right: the board trains them so, too.
    """
    targets = nn.functional.one_hot(labels, network.network.layers[-1]).to(sums.dtype)
    if network.network.activations[-1] == "sigmoid":
        return nn.functional.binary_cross_entropy_with_logits(sums, targets, reduction="sum")
    return (sums - targets).square().sum() / 2
