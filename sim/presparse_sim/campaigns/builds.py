"""What the campaigns run on: small machines, since what counts is how many frames pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.formats import Format, Formats
from presparse.contract.network import Network, RateRange
from presparse.contract.samples import Samples
from presparse.contract.store import Contents
from presparse.contract.wire import SampleKind
from presparse.model import Model

STORED = Build(
    network=Network(
        name="stored",
        features=7,
        classes=3,
        layers=(8, 12, 4),
        out_degree=(6, 2),
        lanes=(4, 6),
        activations=("relu", "sigmoid"),
    ),
    store_samples=200,
    sample_bits=4,
    result_capacity=16,
)
"""A store, and results that fill up soon."""

DEEP = Build(
    network=Network(
        name="deep",
        features=12,
        classes=5,
        layers=(12, 12, 6, 6),
        out_degree=(4, 2, 3),
        lanes=(4, 4, 3),
        activations=("relu", "sigmoid", "identity"),
        formats=Formats(weight=Format(width=16, frac=12), output=Format(width=7, frac=4)),
        rates=RateRange(least=3, most=6),
    ),
)
"""Three junctions, scores of one byte, no store."""

BUILDS = (STORED, DEEP)


def random_model(rng: np.random.Generator, network: Network) -> Model:
    return Model.initial(network, random_state=int(rng.integers(1 << 32)))


def random_samples(
    rng: np.random.Generator, build: Build, count: int, kinds: tuple[SampleKind, ...], *, coarse: bool = False
) -> Samples:
    """Features of the whole range, any labels and rates; each sample's kind is one of `kinds`.

    `coarse`: of the values of `random_contents`, so that they may go as sample words.
    """
    network = build.network
    kind = rng.choice(np.array(kinds, dtype=np.uint8), size=count)
    rates = rng.integers(network.rates.least, network.rates.most + 1, size=count)
    return Samples(
        kinds=kind,
        features=_coarse(build, _features(rng, network, count)) if coarse else _features(rng, network, count),
        labels=np.where(kind == SampleKind.PREDICT, 0, rng.integers(network.classes, size=count)).astype(np.uint16),
        rates=np.where(kind == SampleKind.TRAIN, rates, 0).astype(np.uint8),
    )


def random_contents(rng: np.random.Generator, build: Build, count: int) -> Contents:
    """Samples for the store of a build that has one."""
    assert build.store is not None
    features = _coarse(build, _features(rng, build.network, count))
    return Contents.encode(build.store, features, rng.integers(build.network.classes, size=count))


def _coarse(build: Build, features: NDArray[np.int64]) -> NDArray[np.int64]:
    """As few values as codes of the build's sample words; any if it has none."""
    spare = build.network.formats.activation.width - build.sample_bits if build.sample_bits else 0
    return features & -(1 << spare)


def _features(rng: np.random.Generator, network: Network, count: int) -> NDArray[np.int64]:
    """(count, N_0), with padding."""
    activation = network.formats.activation
    features = np.zeros((count, network.layers[0]), dtype=np.int64)
    features[:, : network.features] = rng.integers(activation.min, activation.max + 1, size=(count, network.features))
    return features
