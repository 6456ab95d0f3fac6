"""Training speed of the contestants, side by side in one run: rounds in turn, so that a busy machine hits all.

The simulated core is found through the entry point `presparse.benchmarks`, since the host does not import it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points

import numpy as np

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.model import Model

ENTRY_POINTS = "presparse.benchmarks"

EAGER = "PyTorch eager, batch 1"

Contestant = Callable[[Samples], None]
"""Trains on samples, one after the other, in order."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What one contestant reached: medians over the rounds."""

    name: str
    samples_per_second: float
    cycles_per_second: float | None = None
    """Simulated clock cycles, for contestants that have a clock."""
    slowest: float
    fastest: float
    """Samples per second of the worst and of the best round."""
    times_eager: float
    """Median over the rounds of samples per second, over those of PyTorch eager in the same round."""


def measure(
    network: Network,
    *,
    rounds: int = 5,
    seconds: float = 1.0,
    progress: Callable[[str], None] = lambda stage: None,
) -> list[Speed]:
    """Train `network` with every contestant, `rounds` times for about `seconds` each, one torch thread."""
    import torch

    build = Build(network=network, feature_port=network.lanes[0])
    model = Model.initial(network, seed=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        contestants: dict[str, tuple[Contestant, Callable[[], int] | None]] = {}
        for point in entry_points(group=ENTRY_POINTS):
            progress(f"compiling {point.name}")
            contestants[point.name] = point.load()(build, model)
        contestants["reference (PyTorch, bit-exact)"] = reference(build, model), None
        contestants[EAGER] = eager(model), None

        counts = {}
        for name, (train, _) in contestants.items():
            progress(f"warming up {name}")
            counts[name] = _count_for(train, network, seconds)
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        cycle_rates: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(rounds):
            for name, (train, cycles) in contestants.items():
                progress(f"round {number + 1} of {rounds}: {name}")
                samples = _samples(network, counts[name], seed=number)
                before = cycles() if cycles else 0
                elapsed = _timed(train, samples)
                rates[name].append(len(samples) / elapsed)
                if cycles:
                    cycle_rates[name].append((cycles() - before) / elapsed)
    finally:
        torch.set_num_threads(threads)
    return [
        Speed(
            name=name,
            samples_per_second=statistics.median(rates[name]),
            cycles_per_second=statistics.median(cycle_rates[name]) if cycle_rates[name] else None,
            slowest=min(rates[name]),
            fastest=max(rates[name]),
            times_eager=statistics.median(own / other for own, other in zip(rates[name], rates[EAGER], strict=True)),
        )
        for name in contestants
    ]


def reference(build: Build, model: Model) -> Contestant:
    """The bit-exact reference."""
    from presparse.reference import Reference

    exact = Reference(build, model)

    def train(samples: Samples) -> None:
        exact.run(samples)

    return train


def eager(model: Model) -> Contestant:
    """The same network and pattern in floating point, as one writes it in PyTorch: forward, backward, step."""
    import torch

    from presparse.train.fit import output_loss
    from presparse.train.network import SparseNetwork

    network = SparseNetwork.from_model(model)
    optimiser = torch.optim.SGD(network.parameters(), lr=2.0**-4)
    activation = model.network.formats.activation

    def train(samples: Samples) -> None:
        inputs = torch.tensor(activation.decode(samples.features), dtype=network.dtype)
        labels = torch.tensor(samples.labels.astype(np.int64))
        for i in range(len(samples)):
            loss = output_loss(network, network(inputs[i : i + 1]), labels[i : i + 1])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    return train


def _samples(network: Network, count: int, seed: int) -> Samples:
    """Random images with as many zeros as MNIST has; speed does not depend on what they show."""
    rng = np.random.default_rng(seed)
    features = np.zeros((count, network.layers[0]), dtype=np.int64)
    pixels = rng.integers(0, network.formats.activation.one, size=(count, network.features))
    features[:, : network.features] = pixels * (rng.random(pixels.shape) < 0.2)
    return Samples.train(features, rng.integers(network.classes, size=count), network.rates.most)


def _count_for(train: Contestant, network: Network, seconds: float) -> int:
    """Samples that take about `seconds`."""
    count = 16
    while True:
        elapsed = _timed(train, _samples(network, count, seed=count))
        if elapsed > seconds / 8:
            return max(16, round(count * seconds / elapsed))
        count *= 4


def _timed(train: Contestant, samples: Samples) -> float:
    start = time.perf_counter()
    train(samples)
    return time.perf_counter() - start
