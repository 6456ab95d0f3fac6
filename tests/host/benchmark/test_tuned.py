"""Tuned C does what numpy does, on every processor it knows; a program that does not is refused."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.tuned import Tuned, check_inference, check_training, tuned_inference, tuned_training
from presparse.benchmark.workload import training_samples
from presparse.contract.network import Network
from presparse.model import Model
from presparse.reference.native import layout
from presparse.reference.native.layout import KINDS, Kind
from tests.host import small
from tests.host.benchmark.test_plain_c import DEEP

PROCESSORS = ["native", *(["x86-64-v3", "x86-64"] if platform.machine() in ("x86_64", "AMD64") else [])]
BATCHES = {1: 1, 8: 1, 16: 3}
"""And on how many threads."""


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("network", [small.NETWORK, DEEP, Network.load("mnist-dey")])
def test_weights_and_classes_are_numpy_s(network: Network, processor: str) -> None:
    model = Model.initial(network, random_state=3)
    samples = training_samples(network, 64, seed=1)
    features = network.formats.activation.decode(samples.features)
    labels = samples.labels.astype(np.int32)
    for batch, threads in BATCHES.items():
        program = Tuned(model, batch=batch, threads=threads, processor=processor)
        check_training(program, model, features, labels, batch)
        check_inference(Tuned(model, threads=threads, processor=processor), model, features)


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_computes_the_same(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    for costs in (layout._COST, layout._BACK_COST):
        monkeypatch.setitem(costs, kind, 1e-6)
    for network in (small.NETWORK, DEEP):
        model, samples = Model.initial(network, random_state=3), training_samples(network, 64, seed=1)
        features = network.formats.activation.decode(samples.features)
        check_training(Tuned(model), model, features, samples.labels.astype(np.int32), 1)
        check_inference(Tuned(model), model, features)


def test_training_goes_round() -> None:
    model, samples = Model.initial(small.NETWORK), training_samples(small.NETWORK, 64)
    tuned_training(model, samples, batch=1, threads=1)(150)
    tuned_training(model, samples, batch=8, threads=2)(150)
    tuned_inference(model, samples, threads=2)(150)


def test_programs_whose_work_was_dropped_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model, samples = Model.initial(small.NETWORK), training_samples(small.NETWORK, 64)
    monkeypatch.setattr(Tuned, "train", lambda program, features, labels: None)
    with pytest.raises(BenchmarkError, match=r"in batches of 1, .* has moved its weights by 0;"):
        tuned_training(model, samples, batch=1, threads=1)
    monkeypatch.setattr(Tuned, "infer", lambda program, features: np.full(len(features), 2))
    with pytest.raises(BenchmarkError, match=r"tuned C predicts class 2 for sample \d+, whose score is"):
        tuned_inference(model, samples, threads=1)
