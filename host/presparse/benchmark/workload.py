"""What contestants train: the same samples for all, over and over."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.data.mnist import DATA_VARIABLE, load_mnist
from presparse.features.inputs import Inputs
from presparse.model import Model

COUNT = 2048
"""Samples that differ: as encoded images they take megabytes, so that, as in real training, no cache holds them all."""


_PIXELS = 28 * 28


def training_samples(network: Network, count: int = COUNT, seed: int = 0) -> Samples:
    """Random images with as many zeros as MNIST has; speed does not depend on what they show."""
    rng = np.random.default_rng(seed)
    features = np.zeros((count, network.layers[0]), dtype=network.formats.activation.dtype)
    pixels = rng.integers(0, network.formats.activation.one, size=(count, network.features))
    features[:, : network.features] = pixels * (rng.random(pixels.shape) < 0.2)
    return Samples.train(features, rng.integers(network.classes, size=count), network.rates.most)


def sent_samples(build: Build) -> tuple[Samples, str]:
    """What crosses links and fills stores, rounded to the values that the board tells apart, and what it is: MNIST, if
    it is there and the network takes it, because compression depends on what images show; else random images."""
    fmt, network = build.sample_format, build.network
    if network.features == _PIXELS and os.environ.get(DATA_VARIABLE):
        X, y = load_mnist()
        step = len(X) // COUNT
        X, y = X[: COUNT * step : step], y[: COUNT * step : step]
        values = None if fmt is None else fmt.colors
        shared = fmt is not None and fmt.palettes == "shared"
        inputs = Inputs.fit(X, places=network.places, palettes=values, shared_palettes=shared)
        model = Model.initial(network, inputs=inputs)
        return Samples.train(model.encode(X), y, network.rates.most), "MNIST"
    samples = training_samples(network)
    if fmt is not None:
        shift = max(0, fmt.value_bits - fmt.bits)
        samples = Samples.train(samples.features >> shift << shift, samples.labels, network.rates.most)
    return samples, "random images"


def parts(samples: int, count: int, most: int) -> Iterator[slice]:
    """`count` samples in all out of `samples`, from the first on and over again, at most `most` at once."""
    while count:
        first = 0
        while first < samples and count:
            size = min(most, samples - first, count)
            yield slice(first, first + size)
            first += size
            count -= size
