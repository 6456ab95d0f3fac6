"""Pre-defined sparse networks of the experiments: any sizes and degrees, any kind of pattern, in floating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from presparse.contract.network import Activation, Network, valid_lanes
from presparse.data import Data
from presparse.experiments.perceptron import accuracy_of
from presparse.model import initial_weights
from presparse.patterns import Kind, draw
from presparse.train.fit import fit_network
from presparse.train.network import SparseNetwork

BATCH, RATE = 128, 2e-3
MOST_LANES = 16
"""With one lane, a clash-free pattern of few seeds would give a right neuron neighboring features only."""


def shaped(layers: Sequence[int], out_degree: Sequence[int], features: int, classes: int) -> Network:
    """A ReLU network of these layers, with as many lanes as it can have, MOST_LANES at most in each junction."""
    hidden: list[Activation] = ["relu"] * (len(out_degree) - 1)
    shape = Network(
        features=features,
        classes=classes,
        layers=tuple(layers),
        out_degree=tuple(out_degree),
        lanes=(1,) * len(out_degree),
        activations=(*hidden, "sigmoid"),
    )
    lanes: list[int] = []
    for junction in reversed(shape.junctions):
        possible = [
            z
            for z in valid_lanes(junction)
            if z <= MOST_LANES and (not lanes or lanes[0] % replace(junction, lanes=z).group == 0)
        ]
        lanes.insert(0, max(possible))
    return Network.model_validate({**shape.model_dump(), "lanes": lanes})


def trained(network: Network, kind: Kind, learn: Data, *, epochs: int, seed: int) -> SparseNetwork:
    """A fresh network after training."""
    left = draw(network, kind, seed)
    rng = np.random.default_rng([seed, 1])
    fresh = SparseNetwork(network, left)
    with torch.no_grad():
        for junction, layer, edges in zip(network.junctions, fresh.sparse_layers, left, strict=True):
            layer.weight.copy_(torch.tensor(initial_weights(network, junction, edges, rng)))
    fit_network(fresh, *learn, epochs=epochs, batch_size=BATCH, lr=RATE, random_state=seed)
    return fresh


def error(network: SparseNetwork, data: Data) -> float:
    """Share of samples that a network gets wrong."""
    return 1 - accuracy_of(network.predict, data)
