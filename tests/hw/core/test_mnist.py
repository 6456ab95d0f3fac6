"""The published network, fed through a port as wide as its input layer: exact, and without an idle cycle."""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.data import DATA_VARIABLE, load_mnist
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse_sim.core import SimulatedCore
from tests.hw.core.test_core import assert_same_state

pytestmark = pytest.mark.slow


SAMPLES, PREDICTED = 2000, 200


def data() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """MNIST where there is a folder of it; elsewhere numbers like it, for the comparison is the same."""
    if os.environ.get(DATA_VARIABLE):
        X, y = load_mnist("train")
        return X[: SAMPLES + PREDICTED], y[: SAMPLES + PREDICTED]
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(SAMPLES + PREDICTED, 784)) * (rng.random((SAMPLES + PREDICTED, 784)) < 0.2)
    return X.astype(np.float64), rng.integers(10, size=SAMPLES + PREDICTED)


@pytest.mark.parametrize(
    ("name", "lanes"), [("mnist-dey", (64, 16)), pytest.param("mnist-dey-narrow", (128, 32), marks=pytest.mark.nightly)]
)
def test_two_thousand_trained_samples_equal_the_reference(name: str, lanes: tuple[int, int]) -> None:
    network = Network.load(name)
    build = Build(network=network, lanes=lanes, gap=0, feature_port=1024)
    period = 4096 // lanes[0]
    assert [j.cycles for j in build.junctions] == [period, period]
    assert build.schedule.gap == 0
    X, y = data()
    model = Model.initial(network, random_state=1, inputs=Inputs.plain(network.features, gain=1 / 255))
    assert model.inputs.places.tolist() != list(range(784))  # windows, those of the narrow network dilated
    features = model.encode(X)
    samples = Samples.train(features[:SAMPLES], y[:SAMPLES], network.rates.least + 1)
    reference = Reference(build, model)
    reference.run(samples)
    reference.flush()
    with SimulatedCore(build) as core:
        core.load(model)
        core.run(samples[: SAMPLES // 2])
        cycles = core.counters()["cycles"]
        core.run(samples[SAMPLES // 2 :])
        assert core.counters()["cycles"] - cycles == SAMPLES // 2 * period  # steady state: C cycles, none idle
        core.flush()
        assert core.counters()["stalls_sample"] == 0
        assert_same_state(core, reference)
        predicted = core.run(Samples.predict(features[SAMPLES:]))
        predicted = np.concatenate([predicted, core.flush()])
        np.testing.assert_array_equal(predicted, reference.scores(features[SAMPLES:]))
