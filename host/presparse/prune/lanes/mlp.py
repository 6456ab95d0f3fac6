"""A trained multi-layer perceptron as plain arrays, whatever it was made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from presparse.contract.network import Activation
from presparse.errors import ArgumentError
from presparse.prune.chain import Step, UnsupportedModel, chain
from presparse.prune.layers import DROPOUT, SOFTMAX, BatchNorm, Weighted, fused, matrix
from presparse.prune.pruned import PrunedModel
from presparse.validation import checked_features, checked_labels, real_numbers

_ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Identity: "identity",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Mlp:
    """Right neurons of layer i are activation(weights[i] @ left + biases[i]); the output has no activation.

    The inputs are (x - offset) * gain of the chosen columns x of the user's X.
    """

    weights: tuple[NDArray[np.float64], ...]
    """Per junction (right, left); 0 where there is no edge."""
    biases: tuple[NDArray[np.float64], ...]
    """Per junction (right,)."""
    activations: tuple[Activation, ...]
    """Of the hidden layers."""
    columns: NDArray[np.int64]
    """(features,): of the user's X."""
    width: int
    """Columns of the user's X."""
    offset: NDArray[np.float64]
    """(features,)"""
    gain: NDArray[np.float64]
    """(features,)"""

    @property
    def layers(self) -> tuple[int, ...]:
        return self.weights[0].shape[1], *(len(biases) for biases in self.biases)

    @property
    def edges(self) -> int:
        """Weights that are not 0."""
        return sum(int(np.count_nonzero(weights)) for weights in self.weights)

    def activity(self, X: ArrayLike) -> list[NDArray[np.float64]]:
        """Real features (k, width) -> what every layer holds (k, neurons); the output's sums come last."""
        values = checked_features(X, self.width)[:, self.columns]
        held = [(values - self.offset) * self.gain]
        for weights, biases, activation in zip(self.weights, self.biases, (*self.activations, "identity"), strict=True):
            held.append(_activate(held[-1] @ weights.T + biases, activation))
        return held

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Accuracy, 0 to 1."""
        predicted = self.activity(X)[-1].argmax(axis=1)
        return float(np.mean(predicted == checked_labels(y, len(predicted), np.arange(self.layers[-1]))))


def mlp(model: nn.Module, *, offset: ArrayLike = 0.0, gain: ArrayLike = 1.0) -> Mlp:
    """The arrays of a trained model: Linear and SparseLinear layers with ReLU, sigmoid or no activation between them.

    BatchNorm becomes part of the layer before it; dropout, and what comes behind the last layer, are left out. The
    model was trained with (X - offset) * gain, each one number, or one for every column of X.

    Raises UnsupportedModel for anything else, ArgumentError for an offset or gain of other shapes.
    """
    layers = model.chain() if isinstance(model, PrunedModel) else chain(model)
    if layers.images or layers.stem:
        raise UnsupportedModel("the lanes take features, and this model takes images; give an MLP")
    columns, width = np.arange(layers.features), layers.features
    if isinstance(model, PrunedModel):
        columns, width = model.kept_features.cpu().numpy(), model.features
    weights: list[NDArray[np.float64]] = []
    biases: list[NDArray[np.float64]] = []
    activations: list[Activation | None] = []
    for step in layers.steps:
        _add(step, weights, biases, activations)
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise UnsupportedModel(f"junction {index} holds NaN or infinity: its training diverged; train it again")
    shift = real_numbers(offset, "offset", (width,), ArgumentError)[columns]
    scale = real_numbers(gain, "gain", (width,), ArgumentError)[columns]
    return Mlp(
        weights=tuple(weights),
        biases=tuple(biases),
        activations=tuple(activation or "identity" for activation in activations[:-1]),
        columns=columns,
        width=width,
        offset=shift,
        gain=scale,
    )


def _add(
    step: Step,
    weights: list[NDArray[np.float64]],
    biases: list[NDArray[np.float64]],
    activations: list[Activation | None],
) -> None:
    """One more step of the chain; `activations` has None behind a layer whose activation has not come."""
    module, kind = step.module, type(step.module)
    if isinstance(module, Weighted):
        weights.append(matrix(module)[:, :, 0].numpy())
        biases.append(np.zeros(len(weights[-1])) if module.bias is None else module.bias.detach().double().numpy())
        activations.append(None)
    elif isinstance(module, BatchNorm) and activations and activations[-1] is None:
        both = fused(torch.from_numpy(weights[-1]), torch.from_numpy(biases[-1]), module)
        weights[-1], biases[-1] = (part.numpy() for part in both)
    elif kind in _ACTIVATIONS and activations and activations[-1] is None:
        activations[-1] = _ACTIVATIONS[kind]
    elif kind not in DROPOUT and kind not in SOFTMAX and kind is not nn.Identity:
        raise UnsupportedModel(
            f"layer {step.name} ({kind.__name__}) has no place on the lanes: between its Linear layers a network may "
            "have BatchNorm and then ReLU, Sigmoid or nothing"
        )


def _activate(sums: NDArray[np.float64], activation: Activation) -> NDArray[np.float64]:
    if activation == "relu":
        return np.maximum(sums, 0)
    with np.errstate(over="ignore"):  # far below 0 it is 0
        return 1 / (1 + np.exp(-sums)) if activation == "sigmoid" else sums
