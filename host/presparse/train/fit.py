"""Mini-batch training that ends in the integers a board runs."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from presparse.contract.network import Network
from presparse.contract.pattern import PatternKind
from presparse.data import Scaling, scaling
from presparse.model import Model
from presparse.train.epochs import Progress, check_schedule, train_epochs
from presparse.train.network import SparseNetwork
from presparse.train.quantized import QuantizedNetwork
from presparse.validation import checked_features, checked_labels


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
    quantized: bool = True,
    progress: Progress | None = None,
) -> Model:
    """Train a fresh network; the integer model that a board runs. The same arguments give the same model.

    With `quantized`, training sees the board's rounding all along, and the accuracy it reports is the
    board's; without, real numbers are trained, and rounded once at the end.
    The best epoch on `validation` (X, y) is kept, the last one without it. Ctrl-C keeps the best so far.
    For the network behind the model (its accuracy in floating point, say) use `fit_network`.

    X is (k, features) in its own units, y (k,) class numbers from 0; `scale` says how features are brought to
    the board's range (`presparse.data.scaling`). `batch` samples share one step of Adam, whose first rate is `rate`.

    Raises FeatureError for data that does not fit the network, PatternError for a pattern that clashes,
    ArgumentError for epochs, batch or rate that are not positive.
    """
    check_schedule(epochs, batch, rate)
    initial = QuantizedNetwork if quantized else SparseNetwork
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

    A `QuantizedNetwork` is trained quantization-aware. Arguments and errors as for `fit`.
    """
    check_schedule(epochs, batch, rate)
    shape = network.network
    inputs = network.inputs(X)
    labels = torch.from_numpy(checked_labels(y, len(inputs), shape.classes))
    held_out = None
    if validation is not None:
        held_inputs = network.inputs(validation[0])
        held_out = held_inputs, torch.from_numpy(checked_labels(validation[1], len(held_inputs), shape.classes))

    train_epochs(
        network,
        inputs,
        labels,
        optimizer=torch.optim.Adam(network.parameters(), lr=rate),
        loss=lambda sums, wanted: output_loss(network, sums, wanted),
        classes=network.classes,
        held_out=held_out,
        epochs=epochs,
        batch=batch,
        seed=seed,
        after_step=network.clamp if isinstance(network, QuantizedNetwork) else None,
        progress=progress,
    )


def output_loss(network: SparseNetwork, sums: Tensor, labels: Tensor) -> Tensor:
    """Loss of output sums (k, N_L), summed: its gradient is score minus target, as on the board.

    Padding outputs count as classes that are never right: the board trains them so, too.
    """
    targets = nn.functional.one_hot(labels, network.network.layers[-1]).to(sums.dtype)
    if network.network.activations[-1] == "sigmoid":
        return nn.functional.binary_cross_entropy_with_logits(sums, targets, reduction="sum")
    return (sums - targets).square().sum() / 2
