"""How cost grows with edges, lanes and layers: cycles and multipliers from the contract, PC time measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from presparse.benchmark import pytorch
from presparse.benchmark.plain_c import plain_c
from presparse.benchmark.rounds import Trainer, interleave
from presparse.benchmark.work import Work
from presparse.benchmark.workload import training_samples
from presparse.contract.build import Build
from presparse.contract.network import Activation, Network
from presparse.model import Model

Axis = Literal["edges", "lanes", "layers"]
_HIDDEN = (32, 64, 128, 256, 512, 1024)
_LANES = (4, 8, 16, 32, 64, 128)
_LAYERS = (1, 2, 3, 4, 6, 8)
_SAMPLES = 256


@dataclass(frozen=True, kw_only=True)
class Point:
    """One network and build."""

    axis: Axis
    edges: int
    lanes: int
    """Of all junctions."""
    hidden_layers: int
    multipliers: int
    cycles_per_sample: int
    """The schedule's, which the gateware keeps to the cycle (tests/hw)."""
    staleness: int
    """Samples that begin between a sample's own start and its last update."""
    plain_c_seconds: float
    """Per trained sample, one core of this machine."""
    eager_seconds: float
    """The same, PyTorch eager, batch 1."""


def measure(*, rounds: int, seconds: float, tell: Callable[[str], None]) -> list[Point]:
    """Every point of all three axes; each network is timed for `rounds` times `seconds` per program."""
    sweeps: dict[Axis, list[Network]] = {
        "edges": [_network(hidden, 64, 1) for hidden in _HIDDEN],
        "lanes": [_network(256, lanes, 1) for lanes in _LANES],
        "layers": [_network(128, 64, layers) for layers in _LAYERS],
    }
    points: list[Point] = []
    timed: dict[str, tuple[float, float]] = {}
    for axis, networks in sweeps.items():
        for network in networks:
            tell(f"growth with {axis}: {network.name}")
            if network.hash not in timed:  # lanes do not matter to a PC
                timed[network.hash] = _seconds(network, rounds, seconds)
            points.append(_point(axis, network, *timed[network.hash]))
    return points


def _network(hidden: int, lanes: int, hidden_layers: int) -> Network:
    """256 features, equal hidden layers whose neurons have 16 edges each, 16 outputs.

    The output junction has a quarter of the last hidden layer's edges, and a quarter of the lanes: none waits.
    """
    layers = (256, *[hidden] * hidden_layers, 16)
    hidden_activations: list[Activation] = ["relu"] * hidden_layers
    degrees = [16 * right // left for left, right in pairwise(layers[:-1])]
    return Network(
        name=f"hidden-{hidden}x{hidden_layers}",
        features=256,
        classes=10,
        layers=layers,
        out_degree=(*degrees, 4),
        lanes=(*[lanes] * hidden_layers, lanes // 4),
        activations=(*hidden_activations, "sigmoid"),
    )


def _point(axis: Axis, network: Network, plain_c_seconds: float, eager_seconds: float) -> Point:
    build = Build(network=network)
    return Point(
        axis=axis,
        edges=network.edges,
        lanes=sum(network.lanes),
        hidden_layers=len(network.layers) - 2,
        multipliers=Work.of(build).multipliers,
        cycles_per_sample=build.schedule.period,
        staleness=build.schedule.junctions[0].update,
        plain_c_seconds=plain_c_seconds,
        eager_seconds=eager_seconds,
    )


def _seconds(network: Network, rounds: int, seconds: float) -> tuple[float, float]:
    """Per sample: plain C, PyTorch eager."""
    model, samples = Model.initial(network), training_samples(network, _SAMPLES)
    contestants: dict[str, Trainer] = {
        "C": plain_c(model, samples),
        "eager": pytorch.eager(model, samples, masked=False, batch=1),
    }
    rates = interleave(contestants, rounds=rounds, seconds=seconds)
    return 1 / rates["C"].median, 1 / rates["eager"].median
