"""Pre-defined sparse networks of the experiments: any sizes and degrees, any kind of pattern, in floating point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from presparse.contract.network import Network
from presparse.data import Data
from presparse.experiments.perceptron import accuracy_of
from presparse.model import initial_weights
from presparse.patterns import Kind, draw
from presparse.train.fit import fit_network
from presparse.train.network import SparseNetwork

BATCH, RATE = 128, 2e-3


def shaped(layers: Sequence[int], out_degree: Sequence[int], features: int, classes: int) -> Network:
    """A ReLU network of these layers; one lane each, so that any degrees are valid."""
    return Network(
        features=features,
        classes=classes,
        layers=tuple(layers),
        out_degree=tuple(out_degree),
        lanes=(1,) * len(out_degree),
        activations=("relu",) * (len(out_degree) - 1) + ("sigmoid",),
    )


def trained(network: Network, kind: Kind, learn: Data, *, epochs: int, seed: int) -> SparseNetwork:
    """A fresh network after training on features in 0 .. 1."""
    left = draw(network, kind, seed)
    rng = np.random.default_rng([seed, 1])
    fresh = SparseNetwork(network, left, offset=0.5)
    with torch.no_grad():
        for junction, layer, edges in zip(network.junctions, fresh.sparse_layers, left, strict=True):
            layer.weight.copy_(torch.tensor(initial_weights(network, junction, edges, rng)))
    fit_network(fresh, *learn, epochs=epochs, batch=BATCH, rate=RATE, seed=seed)
    return fresh


def error(network: SparseNetwork, data: Data) -> float:
    """Share of samples that a network gets wrong."""
    return 1 - accuracy_of(network.predict, data)
