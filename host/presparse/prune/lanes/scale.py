"""Calibration (cross-layer rescaling): the same function in numbers that the board's formats can hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.features.scaling import scaling
from presparse.prune.lanes.mlp import Mlp

_ROOM = 0.9
"""Of the largest number of a format that a weight or activation may take: the refit needs some."""
_LEAST_USED = 1 / 32
"""Of that room, by a neuron's largest weight or activation: smaller ones would be rounded away."""
_FAR = 20.0
"""Where a sigmoid is 0 or 1."""
_HALVINGS = 50


def rescaled(source: Mlp, X: NDArray[np.float64], features: int) -> Mlp:
    """The same function of X (k, width) with every input within -1/2 .. 1/2, and exactly `features` of them.

    Weights and biases of the first junction make up for it. Inputs that `source` does not have are further columns of
    X, with weights 0. Raises ArgumentError if X has too few columns, or `source` more inputs.
    """
    unused = np.setdiff1d(np.arange(source.width), source.columns)
    missing = features - len(source.columns)
    if not 0 <= missing <= len(unused):
        raise ArgumentError(
            f"the network takes {features} features, and the model {len(source.columns)} of {source.width} columns; "
            "give a network whose features lie between the two"
        )
    columns = np.concatenate([source.columns, unused[:missing]])
    found = scaling(X[:, columns], "per feature")
    offset, gain = found.offset, found.gain
    own = slice(len(source.columns))
    # (x - o) g = (x - o') g' * g / g' + (o' - o) g
    shift = (offset[own] - source.offset) * source.gain
    weights = np.pad(source.weights[0] * (source.gain / gain[own]), ((0, 0), (0, missing)))
    return replace(
        source,
        weights=(weights, *source.weights[1:]),
        biases=(source.biases[0] + source.weights[0] @ shift, *source.biases[1:]),
        columns=columns,
        offset=offset,
        gain=gain,
    )


def within_formats(source: Mlp, network: Network, X: NDArray[np.float64]) -> Mlp:
    """The same classes with weights and activations that fit the formats and use them, as far as that is possible.

    A ReLU neuron's incoming weights and bias are divided by what its outgoing ones are multiplied with; so are those of
    a neuron without an activation. From output sums, what all classes have in common is taken, and they are divided
    by one number; sigmoids get a bias with which their mean is right. What does not fit then (behind a sigmoid)
    saturates when it is rounded.
    """
    formats = network.formats
    most_weight = _ROOM * formats.weight.max / formats.weight.one
    most_activation = _ROOM * formats.activation.max / formats.activation.one
    activity = source.activity(X)
    weights, biases = [w.copy() for w in source.weights], [b.copy() for b in source.biases]
    for i, activation in enumerate(source.activations):
        if activation != "sigmoid":
            incoming = np.maximum(np.abs(weights[i]).max(axis=1), np.abs(biases[i])) / most_weight
            full = np.maximum(incoming, np.abs(activity[i + 1]).max(axis=0) / most_activation)
            by = np.maximum(full, np.minimum(1.0, full / _LEAST_USED))
            by[full == 0] = 1.0
            weights[i], biases[i] = weights[i] / by[:, None], biases[i] / by
            weights[i + 1] = weights[i + 1] * by
    weights[-1], biases[-1] = _told_apart(weights[-1], biases[-1])
    sums = replace(source, weights=tuple(weights), biases=tuple(biases)).activity(X)[-1]
    by = max(float(np.abs(weights[-1]).max()), float(np.abs(biases[-1]).max())) / most_weight
    if network.activations[-1] == "identity":  # sigmoids may saturate: the refit was better with weights that are large
        by = max(by, float(np.abs(sums).max()) / (_ROOM * formats.output.max / formats.output.one))
    by = by or 1.0  # all weights are 0
    weights[-1], biases[-1] = weights[-1] / by, biases[-1] / by
    if network.activations[-1] == "sigmoid":
        room = -most_weight - biases[-1].min(), most_weight - biases[-1].max()
        biases[-1] = biases[-1] + np.clip(_level(sums / by), *room)
    return replace(source, weights=tuple(weights), biases=tuple(biases))


def _told_apart(
    weights: NDArray[np.float64], biases: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (classes, left) and biases (classes,) without what all classes have in common, which tells none from
    another and saturates outputs; weights that are 0 stay so."""
    common = np.where((weights != 0).all(axis=0), weights.mean(axis=0), 0.0)
    return np.where(weights != 0, weights - common, 0.0), biases - biases.mean()


def _level(sums: NDArray[np.float64]) -> float:
    """What to add to all sums (k, classes), so that the sigmoids' mean is that of the labels, 1 of all classes."""
    low, high = -sums.max() - _FAR, -sums.min() + _FAR
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        with np.errstate(over="ignore"):  # far below 0 a sigmoid is 0
            mean = (1 / (1 + np.exp(-sums - middle))).mean()
        if mean > 1 / sums.shape[1]:
            high = middle
        else:
            low = middle
    return float(low)
