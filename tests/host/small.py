"""A small network with its build, model and samples, for tests of the host."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.model import Model
from tests.networks import random_model

NETWORK = Network(
    name="small",
    features=7,
    classes=3,
    layers=(8, 12, 4),
    out_degree=(6, 2),
    lanes=(4, 6),
    activations=("relu", "sigmoid"),
)
BUILD = Build(network=NETWORK, result_capacity=16)


def model(seed: int = 0) -> Model:
    return random_model(np.random.default_rng(seed), NETWORK)


def features(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Encoded, padding included."""
    values = np.zeros((count, NETWORK.layers[0]), dtype=np.int64)
    values[:, : NETWORK.features] = rng.integers(-300, 512, size=(count, NETWORK.features))
    return values


def training(seed: int, count: int) -> Samples:
    rng = np.random.default_rng(seed)
    return Samples.train(features(rng, count), rng.integers(NETWORK.classes, size=count), 4)


def predictions(seed: int, count: int) -> Samples:
    return Samples.predict(features(np.random.default_rng(seed), count))


def clusters(seed: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Real features (count, 7), labels (count,): three clusters that can be learned."""
    centers = np.random.default_rng(7).uniform(0, 100, size=(NETWORK.classes, NETWORK.features))
    rng = np.random.default_rng(seed)
    labels = rng.integers(NETWORK.classes, size=count)
    return centers[labels] + rng.normal(0, 4, size=(count, NETWORK.features)), labels
