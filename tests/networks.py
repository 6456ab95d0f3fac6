"""Random valid networks, builds, models and samples, small enough to simulate in gateware.

All draw from the generator they are given, so one seed repeats a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.formats import Format, Formats
from presparse.contract.network import Activation, Junction, Network, RateRange, check_lanes, densities, lanes_fit
from presparse.contract.pattern import CLASH_FREE_KINDS, from_rows, generate
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.features.inputs import Inputs
from presparse.model import Model

T = TypeVar("T")


def random_network(rng: np.random.Generator, *, junctions: int | None = None, neurons: int = 48) -> Network:
    """A valid network of 1 to 4 junctions, at most `neurons` per layer, with formats of any width."""
    count = int(rng.integers(1, 5)) if junctions is None else junctions
    while True:
        layers, degrees, lanes = _random_shape(rng, count, neurons)
        if lanes:
            break
    hidden: list[Activation] = [_pick(rng, ("relu", "relu", "sigmoid", "identity")) for _ in range(count - 1)]
    output: Activation = _pick(rng, ("sigmoid", "identity"))
    formats = random_formats(rng)
    least = int(rng.integers(0, 9))
    return Network(
        name="random",
        features=int(rng.integers(max(1, layers[0] - 3), layers[0] + 1)),
        classes=int(rng.integers(max(1, layers[-1] - 3), layers[-1] + 1)),
        layers=tuple(layers),
        out_degree=tuple(degrees),
        lanes=tuple(lanes),
        activations=(*hidden, output),
        formats=formats,
        rates=RateRange(least=least, most=least + int(rng.integers(0, min(6, 18 - formats.delta.width) + 1))),
    )


def random_formats(rng: np.random.Generator) -> Formats:
    """The defaults in one draw of four, else any widths; sigmoid tables stay below 2^12 entries."""
    if rng.random() < 0.25:
        return Formats()
    weight = Format(width=(width := int(rng.integers(4, 19))), frac=int(rng.integers(0, min(width + 3, 17) + 1)))
    least_operand = max(2, weight.width - weight.frac)  # keeps the binary point
    return Formats(
        activation=_random_format(rng, (4, 12), (2, 10)),
        weight=weight,
        operand_bits=int(rng.integers(least_operand, weight.width + 1)),
        delta=_random_format(rng, (4, 16), (0, 16)),
        output=_random_format(rng, (4, 12), (2, 10)),
    )


def random_build(
    rng: np.random.Generator,
    *,
    junctions: int | None = None,
    neurons: int = 48,
    mode: Literal["train", "infer"] | None = None,
) -> Build:
    """A valid build: the network's lanes or proper divisors of them, gap 0 or larger, any feature port."""
    network = random_network(rng, junctions=junctions, neurons=neurons)
    lanes = network.lanes if rng.random() < 0.5 else _fewer_lanes(rng, network)
    left, first = network.layers[0], lanes[0]
    ports = [p for p in _divisors(left) if first % p == 0 or p % first == 0]
    return Build(
        network=network,
        lanes=lanes,
        mode=mode or _pick(rng, ("train", "train", "train", "infer")),
        gap=0 if rng.random() < 0.5 else int(rng.integers(1, 20)),
        feature_port=_pick(rng, ports),
        result_capacity=int(rng.integers(12, 65)),
    )


def random_model(rng: np.random.Generator, network: Network) -> Model:
    """Any clash-free pattern, learned ones (unequal out-degrees) included; weights over their whole range."""
    weight = network.formats.weight

    def integers(shape: tuple[int, ...]) -> NDArray[np.int64]:
        spread = _pick(rng, (0.05, 0.3, 1.0)) * weight.max
        values = np.clip(np.round(rng.normal(0, spread, size=shape)), weight.min, weight.max).astype(np.int64)
        extreme = rng.random(shape) < 0.02
        return np.where(extreme, rng.choice([weight.min, weight.max], size=shape), values)

    return Model(
        network=network,
        left=tuple(random_pattern(rng, j) for j in network.junctions),
        weights=tuple(integers((j.right, j.in_degree)) for j in network.junctions),
        biases=tuple(integers((j.right,)) for j in network.junctions),
        inputs=Inputs.plain(network.features),
    )


def random_pattern(rng: np.random.Generator, junction: Junction) -> NDArray[np.int64]:
    """A generated pattern, or (half of the time) a bank-balanced one as learning would leave it."""
    if rng.random() < 0.5:
        return generate(junction, _pick(rng, CLASH_FREE_KINDS), rng)
    return bank_balanced(rng, junction)


def bank_balanced(rng: np.random.Generator, junction: Junction) -> NDArray[np.int64]:
    """A random bank-balanced pattern in which some left neurons are popular and others have no edge."""
    popularity = rng.normal(0, _pick(rng, (0.0, 1.0, 4.0)), size=(junction.lanes, junction.rows))
    keys = popularity + rng.gumbel(size=(junction.steps, junction.lanes, junction.rows))
    rows = np.argsort(keys, axis=2)[:, :, : junction.cycles_per_step]  # (step, lane, q): distinct per right neuron
    return from_rows(junction, rows.transpose(0, 2, 1).reshape(junction.cycles, junction.lanes))


def random_samples(
    rng: np.random.Generator,
    build: Build,
    count: int,
    kinds: Sequence[SampleKind] | None = None,
) -> Samples:
    """Samples of mixed kinds (`kinds`: all the build can do), any features, labels and rates in range."""
    network, activation = build.network, build.network.formats.activation
    if kinds is None:
        kinds = list(SampleKind)[1:] if build.training else [SampleKind.PREDICT, SampleKind.EVALUATE]
    kind = rng.choice(np.array(kinds, dtype=np.uint8), size=count)
    features = np.zeros((count, network.layers[0]), dtype=np.int64)
    features[:, : network.features] = rng.integers(activation.min, activation.max + 1, size=(count, network.features))
    features[rng.random(features.shape) < 0.2] = 0
    features[:, : network.features][rng.random((count, network.features)) < 0.02] = activation.min
    rates = rng.integers(network.rates.least, network.rates.most + 1, size=count)
    return Samples(
        kinds=kind,
        features=features,
        labels=np.where(kind == SampleKind.PREDICT, 0, rng.integers(network.classes, size=count)).astype(np.uint16),
        rates=np.where(kind == SampleKind.TRAIN, rates, 0).astype(np.uint8),
    )


def _random_shape(rng: np.random.Generator, count: int, neurons: int) -> tuple[list[int], list[int], list[int]]:
    """Layers, out-degrees and lanes; no lanes if these degrees allow none."""
    base = int(rng.integers(1, min(12, neurons) + 1))  # divides every layer, so that sparse degrees exist
    layers = [base * int(rng.integers(1, neurons // base + 1)) for _ in range(count + 1)]
    degrees: list[int] = []
    lanes: list[int] = []
    group = 1
    for left, right in pairwise(layers):
        possible = densities(left, right)
        out_degree, in_degree = possible[int(len(possible) * rng.random() ** 2)]  # sparse ones more often
        valid = [z for z in _divisors(left) if lanes_fit(left, in_degree, z) and z % group == 0]
        if not valid:
            return layers, [], []
        degrees.append(out_degree)
        lanes.append(_pick(rng, valid if rng.random() < 0.4 else valid[len(valid) // 2 :]))  # many more often
        group = max(1, lanes[-1] // in_degree)
    return layers, degrees, lanes


def _fewer_lanes(rng: np.random.Generator, network: Network) -> tuple[int, ...]:
    """Lanes that divide the network's, chosen again until they are valid together."""
    while True:
        lanes = tuple(_pick(rng, _divisors(z)) for z in network.lanes)
        try:
            check_lanes(network, lanes)
        except ValueError:
            continue
        return lanes


def _random_format(rng: np.random.Generator, widths: tuple[int, int], fracs: tuple[int, int]) -> Format:
    width = int(rng.integers(widths[0], widths[1] + 1))
    return Format(width=width, frac=int(rng.integers(fracs[0], min(fracs[1], width + 3) + 1)))


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


def _pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]
