"""The same network in PyTorch, eager, as one writes it: forward, backward, step; and as `train.fit` trains it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from presparse.benchmark.plain_c import RATE
from presparse.benchmark.rounds import Trainer, interleave
from presparse.benchmark.workload import parts
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.model import Model
from presparse.sizing.proposal import design
from presparse.train.fit import adam, output_loss
from presparse.train.network import BoundedNetwork, SparseNetwork
from presparse.train.plan import BATCH_SIZE
from presparse.train.quantized import QuantizedNetwork
from presparse.train.sparse_linear import SparseLinear

DENSITIES = (0.1, 0.2)
"""Of the network whose training is compared: 2,000 features, 224 hidden neurons, 52 classes."""
_SAMPLES = 1024


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


def eager_inference(model: Model, samples: Samples, *, masked: bool, batch: int) -> Trainer:
    """Predicts `samples` over and over, `batch` at once."""
    network = network_of(model, masked=masked)
    inputs = torch.tensor(model.network.formats.activation.decode(samples.features), dtype=network.dtype)

    @torch.inference_mode()
    def infer(count: int) -> None:
        for part in parts(len(inputs), count, batch):
            network(inputs[part])

    return infer


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How fast PyTorch trains one network as `train.fit` does; samples per second, medians over the rounds."""

    layers: tuple[int, ...]
    edges: int
    density: float
    """Of the first junction."""
    batch: int
    quantized: float
    """With the board's rounding."""
    floating_point: float
    dense: float
    """Layers of that size with all weights, no bounds, and Adam as PyTorch has it by default, as one writes it."""
    quantized_takes: float
    """Times as long as in floating point: the median over the rounds."""
    dense_takes: float


def measure_steps(*, rounds: int, seconds: float, tell: Callable[[str], None]) -> list[Steps]:
    """One network at every density, as it is by default: quantized, in floating point, and dense."""
    found: list[Steps] = []
    for density in DENSITIES:
        tell(f"training in PyTorch, {density:.0%} dense")
        network = design(2000, 52, hidden=(224,), density=density).network
        found.append(compare_steps(network, batch=BATCH_SIZE, rounds=rounds, seconds=seconds))
    return found


def compare_steps(network: Network, *, batch: int, rounds: int, seconds: float) -> Steps:
    """One network. One thread is the caller's business."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-0.5, 0.5, size=(_SAMPLES, network.features))
    labels = torch.from_numpy(rng.integers(network.classes, size=_SAMPLES))
    floating_point, quantized = BoundedNetwork.initial(network), QuantizedNetwork.initial(network)
    contestants = {
        "quantized": _stepping(quantized, quantized, adam, quantized.inputs(X), labels, batch),
        "floating point": _stepping(floating_point, floating_point, adam, floating_point.inputs(X), labels, batch),
        "dense": _stepping(_dense(network), floating_point, torch.optim.Adam, floating_point.inputs(X), labels, batch),
    }
    rates = interleave(contestants, rounds=rounds, seconds=seconds, least=batch)
    return Steps(
        layers=network.layers,
        edges=network.edges,
        density=network.junctions[0].in_degree / network.layers[0],
        batch=batch,
        quantized=rates["quantized"].median,
        floating_point=rates["floating point"].median,
        dense=rates["dense"].median,
        quantized_takes=rates["floating point"].times(rates["quantized"]),
        dense_takes=rates["floating point"].times(rates["dense"]),
    )


def _dense(network: Network) -> nn.Module:
    """Without the activation of its outputs, which the loss has."""
    modules: list[nn.Module] = []
    for junction in network.junctions:
        modules.append(nn.Linear(junction.left, junction.right))
        if not junction.is_output:
            modules.append(nn.ReLU() if junction.activation == "relu" else nn.Sigmoid())
    return nn.Sequential(*modules)


def _stepping(
    model: nn.Module,
    like: SparseNetwork,
    stepper: Callable[..., torch.optim.Optimizer],
    inputs: Tensor,
    labels: Tensor,
    batch: int,
) -> Trainer:
    """Steps of `train.fit`; the loss is that of `like`."""
    optimizer = stepper(model.parameters(), lr=0.001)

    def train(count: int) -> None:
        for part in parts(len(labels), count, batch):
            loss = output_loss(like, model(inputs[part]), labels[part]) / batch
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if isinstance(model, BoundedNetwork):
                model.clamp()

    return train
