"""The same network in PyTorch, eager, floating point, as one writes it: forward, backward, step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from presparse.benchmark.plain_c import RATE
from presparse.benchmark.rounds import Trainer
from presparse.benchmark.workload import parts
from presparse.contract.samples import Samples
from presparse.model import Model
from presparse.train.fit import output_loss
from presparse.train.network import SparseNetwork
from presparse.train.sparse_linear import SparseLinear


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch works in the calling thread alone; the setting comes back after."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class MaskedLinear(SparseLinear):
    """A dense layer whose weights are multiplied with a mask of the edges: what most people write.

    weight : (right, left), 0 where there is no edge
    """

    mask: Tensor

    def __init__(self, layer: SparseLinear) -> None:
        super().__init__(layer.left_features, layer.left.numpy(), dtype=layer.weight.dtype)
        shape = layer.left.shape[0], layer.left_features
        dense = torch.zeros(shape, dtype=layer.weight.dtype)
        self.register_buffer("mask", dense.scatter(1, layer.left, 1.0))
        self.weight = nn.Parameter(dense.scatter(1, layer.left, layer.weight.detach()))
        self.bias = nn.Parameter(layer.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """(k, left) -> (k, right)."""
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


def network_of(model: Model, *, masked: bool) -> SparseNetwork:
    """The model in floating point: `SparseLinear` layers, or masked dense ones."""
    network = SparseNetwork.from_model(model)
    if masked:
        network.layers = nn.ModuleList(MaskedLinear(layer) for layer in network.sparse_layers)
    return network


def eager(model: Model, samples: Samples, *, masked: bool, batch: int) -> Trainer:
    """Trains `samples` over and over, one step of SGD per `batch`."""
    network = network_of(model, masked=masked)
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE / batch)
    inputs = torch.tensor(model.network.formats.activation.decode(samples.features), dtype=network.dtype)
    labels = torch.tensor(samples.labels.astype(np.int64))

    def train(count: int) -> None:
        for part in parts(len(labels), count, batch):
            loss = output_loss(network, network(inputs[part]), labels[part])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return train
