"""The reference equals an independent scalar implementation in every weight, bias, score and counter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from presparse.contract.build import Build
from presparse.contract.errors import PatternError
from presparse.contract.formats import Format, Formats
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.errors import FeatureError, ModelError
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.reference.pytorch import Reference
from tests.host.reference.scalar_reference import ScalarReference
from tests.networks import random_build, random_model, random_samples

SMALL = Network(
    name="small",
    features=5,
    classes=3,
    layers=(6, 4, 4),
    out_degree=(2, 2),
    lanes=(3, 2),
    activations=("relu", "sigmoid"),
)


def assert_weights_equal(reference: Reference, scalar: ScalarReference) -> None:
    model = reference.model()
    assert [w.tolist() for w in model.weights] == scalar.weights
    assert [b.tolist() for b in model.biases] == scalar.biases


def assert_drained_equal(reference: Reference, scalar: ScalarReference) -> None:
    assert reference.flush().tolist() == scalar.flush()
    assert_weights_equal(reference, scalar)
    assert reference.counters == scalar.counters


@pytest.mark.parametrize("seed", range(120))
def test_equals_scalar_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    build = random_build(rng, neurons=16)
    model = random_model(rng, build.network)
    reference, scalar = Reference(build, model), ScalarReference(build, model)
    for _ in range(3):
        # Long runs of one kind as well as mixed ones, cut and flushed anywhere.
        kinds = None if rng.random() < 0.5 else [SampleKind(int(rng.integers(1, 4 if build.training else 2)))]
        samples = random_samples(rng, build, int(rng.integers(1, 12)), kinds)
        cut = int(rng.integers(0, len(samples) + 1))
        for part in (samples[:cut], samples[cut:]):
            assert reference.run(part).tolist() == scalar.run(part)
            assert_weights_equal(reference, scalar)
        if rng.random() < 0.5:
            assert_drained_equal(reference, scalar)
    assert_drained_equal(reference, scalar)


@pytest.mark.parametrize("seed", range(20))
def test_batched_scores_equal_predictions(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    build = random_build(rng)
    model = random_model(rng, build.network)
    reference, scalar = Reference(build, model), ScalarReference(build, model)
    samples = random_samples(rng, build, 20, [SampleKind.PREDICT])
    expected = scalar.run(samples) + scalar.flush()
    assert reference.scores(samples.features).tolist() == expected
    assert reference.counters["blocks"] == 0  # the pipeline is untouched
    assert [*reference.run(samples).tolist(), *reference.flush().tolist()] == expected


def test_largest_sums_are_exact() -> None:
    """The widest layer and formats there are: products of 35 bits, partial sums of 51; the last bit decides."""
    rng = np.random.default_rng(5)
    network = Network(
        features=65536,
        classes=1,
        layers=(65536, 1),
        out_degree=(1,),
        lanes=(64,),
        activations=("identity",),
        formats=Formats(
            activation=Format(width=18, frac=2),
            weight=Format(width=18, frac=17),
            operand_bits=18,
            output=Format(width=18, frac=17),
        ),
    )
    half = rng.integers(-131072, 131072, size=32768)
    signs = np.where(half < 0, -1, 1)
    weights = np.concatenate([half, half])
    features = np.concatenate([-131071 * signs, 131071 * signs])[None, :]
    features[0, 0] += signs[0]  # else both halves would cancel
    model = Model(
        network=network,
        left=(np.arange(65536).reshape(1, -1),),
        weights=(weights.reshape(1, -1),),
        biases=(np.array([3]),),
        inputs=Inputs.plain(65536),
    )
    build = Build(network=network, mode="infer")
    scalar = ScalarReference(build, model)
    samples = Samples.predict(features)
    expected = scalar.run(samples) + scalar.flush()
    assert 0 < abs(expected[0][0]) < 131071
    reference = Reference(build, model)
    assert reference.scores(features).tolist() == expected
    assert [*reference.run(samples).tolist(), *reference.flush().tolist()] == expected


def test_ties_go_to_the_lowest_class() -> None:
    model = Model(
        network=SMALL,
        left=Model.initial(SMALL).left,
        weights=tuple(np.zeros_like(w) for w in Model.initial(SMALL).weights),
        biases=(np.zeros(4, dtype=np.int64), np.array([-8, 8000, 8000, 30000])),  # neuron 3 is padding
        inputs=Inputs.plain(5),
    )
    reference = Reference(Build(network=SMALL), model)
    features = np.ones((3, 6), dtype=np.int64)
    reference.run(Samples.evaluate(features, [0, 1, 2]))
    reference.flush()
    assert reference.counters["evaluated"] == 3
    assert reference.counters["correct"] == 1


def test_model_returns_what_was_loaded() -> None:
    model = Model.initial(SMALL, random_state=3, inputs=Inputs.plain(SMALL.features, offset=0.5, gain=2.0))
    assert Reference(Build(network=SMALL), model).model().differences(model) == []


def test_one_sample_learns_after_its_delay() -> None:
    """A training sample changes nothing until its update block, and a flush gets it there."""
    build = Build(network=SMALL)
    model = Model.initial(SMALL)
    reference = Reference(build, model)
    sample = Samples.train(np.full((1, 6), 200), 1, 4)
    reference.run(sample)
    assert build.schedule.junctions[-1].update > 0
    assert reference.model().differences(model) == []
    reference.flush()
    assert reference.model().differences(model) != []
    assert reference.counters["blocks"] == 1 + build.schedule.depth


def test_global_state_is_untouched() -> None:
    threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
    Reference(Build(network=SMALL), Model.initial(SMALL)).run(Samples.predict(np.zeros((2, 6), dtype=np.int64)))
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, gradients)


def test_wider_lanes_than_the_models() -> None:
    """Lanes are a build's property: a network with the same hash and more lanes may find the pattern clashing."""
    wider = SMALL.model_copy(update={"lanes": (6, 2)})
    model = Model.initial(SMALL, pattern="free", random_state=1)
    with pytest.raises(PatternError, match=r"^junction 1: not clash-free for 6 lanes: in cycle "):
        Reference(Build(network=Network.model_validate(wider.model_dump())), model)


def test_another_network() -> None:
    other = Network.model_validate({**SMALL.model_dump(), "name": "other", "classes": 2})
    with pytest.raises(ModelError) as error:
        Reference(Build(network=other), Model.initial(SMALL))
    assert str(error.value) == (
        f"the model is of network small ({SMALL.hash[:12]}), and the build of network other ({other.hash[:12]}); "
        "load a model of the build's network"
    )


FEATURES = np.zeros((4, 6), dtype=np.int64)
TOO_LARGE = np.where(np.arange(24).reshape(4, 6) == 13, 512, 0)


@pytest.mark.parametrize(
    ("samples", "mode", "message"),
    [
        (Samples.predict(FEATURES[:, :5]), "train", "encoded features must have shape (samples, 6), and have (4, 5)"),
        (Samples.train(FEATURES, 0, 4), "infer", "sample 0: it is to be trained, and this build only infers; "
         "use a build with mode 'train'"),
        (Samples.train(FEATURES, 0, [4, 4, 4, 1]), "train", "sample 3: its rate exponent must be 2 to 8"),
        (Samples.train(FEATURES, 0, [4, 9, 4, 4]), "train", "sample 1: its rate exponent must be 2 to 8"),
        (Samples.train(FEATURES, [0, 2, 3, 0], 4), "train", "sample 2: its label must be 0 to 2"),
        (Samples.evaluate(FEATURES, [3, 0, 0, 0]), "infer", "sample 0: its label must be 0 to 2"),
        (Samples.predict(TOO_LARGE), "train", "sample 2: its features must be -512 to 511 (10 bits (8 fraction))"),
        (Samples(np.array([1, 0, 1, 1], dtype=np.uint8), FEATURES, np.zeros(4, np.uint16), np.zeros(4, np.uint8)),
         "train", "sample 1: its kind must be predict, train or evaluate"),
    ],
)  # fmt: skip
def test_samples_that_a_build_cannot_take(samples: Samples, mode: str, message: str) -> None:
    reference = Reference(Build.model_validate({"network": SMALL, "mode": mode}), Model.initial(SMALL))
    with pytest.raises(FeatureError) as error:
        reference.run(samples)
    assert str(error.value) == message
    assert reference.counters["blocks"] == 0
