"""Bank and slot assignment: a trained network's neurons and edges on the places of the lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.features.inputs import Inputs
from presparse.model import initial_weights
from presparse.prune.lanes.banks import assign, keep
from presparse.prune.lanes.mlp import Mlp
from presparse.train.network import SparseNetwork

_PREFERENCE = 1e-6
"""Importance of an edge between neurons that exist, beside that of the largest: padding comes last."""

Sparse = TypeVar("Sparse", bound=SparseNetwork)


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """Patterns, weights and biases as a network has them, and where its inputs come from."""

    shape: Network
    left: tuple[NDArray[np.int64], ...]
    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...]
    inputs: Inputs
    kept_importance: tuple[float, ...]
    """Per junction: importance of the edges that were kept, of what the most important ones of every right neuron
    have, as many but wherever they are."""

    def network(self, kind: type[Sparse]) -> Sparse:
        """To be trained, or to be measured."""
        made = kind(self.shape, self.left, inputs=self.inputs)
        with torch.no_grad():
            for layer, weights, biases in zip(made.sparse_layers, self.weights, self.biases, strict=True):
                layer.weight.copy_(torch.tensor(weights))
                layer.bias.copy_(torch.tensor(biases))
        return made


def importances(source: Mlp, X: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Per junction (right, left): how much a right neuron's sum varies because of one left neuron, on features X."""
    return [np.abs(w) * held.std(axis=0) for w, held in zip(source.weights, source.activity(X), strict=False)]


def check_room(source: Mlp, network: Network) -> None:
    """Raise ArgumentError unless every layer of `source` fits into that of the network, with its activation."""
    if len(source.weights) != len(network.junctions):
        raise ArgumentError(
            f"the model has {len(source.weights)} junctions, and network {network.name} {len(network.junctions)}; "
            "give a network of as many layers"
        )
    if source.layers[-1] > network.classes:
        raise ArgumentError(
            f"the model has {source.layers[-1]} classes, and network {network.name} {network.classes}; "
            "give a network of as many classes"
        )
    for index, (own, room) in enumerate(zip(source.layers[1:-1], network.layers[1:-1], strict=True), start=1):
        if own > room:
            raise ArgumentError(
                f"layer {index} of the model has {own} neurons, and of network {network.name} {room}; "
                "prune more neurons, or give a larger network"
            )
    for index, (own, there) in enumerate(zip(source.activations, network.activations[:-1], strict=True), start=1):
        if own != there:
            raise ArgumentError(
                f"layer {index} of the model has activation {own}, and of network {network.name} {there}; "
                "give a network with the same"
            )


def place(source: Mlp, network: Network, X: NDArray[np.float64], rng: np.random.Generator) -> Placed:
    """Choose banks and edges, from the output back to the inputs: a layer's order is its place in the next junction.

    The mean contribution of edges that are left out, on real features X (k, width), goes into the bias. Neurons that
    the network has more, and edges between neurons that had none, begin with small random incoming weights and
    outgoing weights 0: they change nothing, and the refit can use them.
    """
    activity = source.activity(X)
    order = np.arange(network.layers[-1])
    left, weights, biases, kept = [], [], [], []
    for i in reversed(range(len(network.junctions))):
        junction = network.junctions[i]
        held = activity[i]
        padding = ((0, junction.right - len(source.biases[i])), (0, junction.left - held.shape[1]))
        full = np.pad(source.weights[i], padding)[order]
        bias = np.pad(source.biases[i], padding[0])[order]
        real = np.pad(np.ones(source.weights[i].shape), padding)[order]
        means, spreads = (np.pad(part, padding[1]) for part in (held.mean(axis=0), held.std(axis=0)))
        importance = np.abs(full) * spreads
        importance += _PREFERENCE * importance.max() * real
        movable = junction.left if i else network.features
        places = assign(junction, importance, rng, movable=movable)
        full, means, importance = full[:, places], means[places], importance[:, places]
        pattern = keep(junction, importance)
        chosen = np.take_along_axis(full, pattern, axis=1)
        bias += full @ means - (chosen * means[pattern]).sum(axis=1)
        if not junction.is_output:
            fresh = initial_weights(network, junction, pattern, rng)
            idle = order >= len(source.biases[i])
            chosen[idle] = fresh[idle]
        best = np.sort(importance, axis=1)[:, -junction.in_degree :].sum()
        kept.append(float(np.take_along_axis(importance, pattern, axis=1).sum() / best) if best else 1.0)
        left.append(pattern)
        weights.append(chosen)
        biases.append(bias)
        order = places
    columns = order[: network.features]
    return Placed(
        shape=network,
        left=tuple(reversed(left)),
        weights=tuple(reversed(weights)),
        biases=tuple(reversed(biases)),
        inputs=Inputs(
            offset=source.offset[columns],
            gain=source.gain[columns],
            columns=source.columns[columns],
            width=source.width,
        ),
        kept_importance=tuple(reversed(kept)),
    )
