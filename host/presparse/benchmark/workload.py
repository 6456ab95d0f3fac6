"""What contestants train: the same samples for all, over and over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from presparse.contract.network import Network
from presparse.contract.samples import Samples

COUNT = 2048
"""Samples that differ: as encoded images they take megabytes, so that, as in real training, no cache holds them all."""


def training_samples(network: Network, count: int = COUNT, seed: int = 0) -> Samples:
    """Random images with as many zeros as MNIST has; speed does not depend on what they show."""
    rng = np.random.default_rng(seed)
    features = np.zeros((count, network.layers[0]), dtype=np.int64)
    pixels = rng.integers(0, network.formats.activation.one, size=(count, network.features))
    features[:, : network.features] = pixels * (rng.random(pixels.shape) < 0.2)
    return Samples.train(features, rng.integers(network.classes, size=count), network.rates.most)


def parts(samples: int, count: int, most: int) -> Iterator[slice]:
    """`count` samples in all out of `samples`, from the first on and over again, at most `most` at once."""
    while count:
        first = 0
        while first < samples and count:
            size = min(most, samples - first, count)
            yield slice(first, first + size)
            first += size
            count -= size
