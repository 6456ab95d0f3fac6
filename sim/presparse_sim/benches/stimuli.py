"""Constrained-random stimuli, models and samples that reach everything: any pattern, weights at their limits, every
kind of sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.pattern import CLASH_FREE_KINDS, PatternKind
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.model import Model


def random_model(rng: np.random.Generator, network: Network) -> Model:
    """A clash-free pattern; normal weights and biases over their whole range, some at its ends."""
    weight = network.formats.weight
    kind: PatternKind = CLASH_FREE_KINDS[int(rng.integers(len(CLASH_FREE_KINDS)))]
    initial = Model.initial(network, pattern=kind, random_state=int(rng.integers(1 << 32)))

    def integers(shape: tuple[int, ...]) -> NDArray[np.int64]:
        values = np.clip(np.round(rng.normal(0, 0.3 * weight.max, size=shape)), weight.min, weight.max)
        extreme = rng.random(shape) < 0.02
        return np.where(extreme, rng.choice([weight.min, weight.max], size=shape), values).astype(np.int64)

    return replace(
        initial,
        weights=tuple(integers(w.shape) for w in initial.weights),
        biases=tuple(integers(b.shape) for b in initial.biases),
    )


def kinds_of(build: Build) -> list[SampleKind]:
    """What a board of this build can do with a sample."""
    return [SampleKind.PREDICT, SampleKind.EVALUATE, *([SampleKind.TRAIN] if build.training else [])]


def random_samples(rng: np.random.Generator, build: Build, count: int, kinds: list[SampleKind]) -> Samples:
    """Features of the whole range, a fifth of them 0; any labels and rates; of each sample a kind of `kinds`."""
    network, activation = build.network, build.network.formats.activation
    kind = rng.choice(np.array(kinds, dtype=np.uint8), size=count)
    features = np.zeros((count, network.layers[0]), dtype=np.int64)
    features[:, : network.features] = rng.integers(activation.min, activation.max + 1, size=(count, network.features))
    features[rng.random(features.shape) < 0.2] = 0
    labels = rng.integers(network.classes, size=count)
    rates = rng.integers(network.rates.least, network.rates.most + 1, size=count)
    return Samples(
        kinds=kind,
        features=features,
        labels=np.where(kind == SampleKind.PREDICT, 0, labels).astype(np.uint16),
        rates=np.where(kind == SampleKind.TRAIN, rates, 0).astype(np.uint8),
    )
