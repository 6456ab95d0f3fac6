"""The reference in C has the bits of the reference in PyTorch: scores, weights, biases, counters."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from presparse.contract.build import Build
from presparse.contract.network import SHIPPED, Network
from presparse.contract.samples import Samples
from presparse.errors import FeatureError, ModelError
from presparse.model import Model
from presparse.reference.native import CompilerError, NativeReference, compiler
from presparse.reference.native.native_reference import edge_bits
from presparse.reference.pytorch import Reference
from tests.host import small
from tests.networks import random_build, random_model, random_samples


def assert_equal(build: Build, model: Model, samples: list[Samples]) -> None:
    """Feed both, with a flush after every entry of `samples`."""
    exact, native = Reference(build, model), NativeReference(build, model)
    for part in samples:
        np.testing.assert_array_equal(native.run(part), exact.run(part))
        np.testing.assert_array_equal(native.flush(), exact.flush())
    assert native.model().differences(exact.model()) == []
    assert native.counters == exact.counters


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    build = random_build(rng, neurons=24)
    model = random_model(rng, build.network)
    assert_equal(build, model, [random_samples(rng, build, 40), random_samples(rng, build, 7)])


def test_random_networks_need_both_widths_of_sums() -> None:
    """So that the test above covers both programs."""
    widths = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        build = random_build(rng, neurons=24)
        widths.append(edge_bits(build, random_model(rng, build.network)))
    assert min(widths) <= 32 < max(widths)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_networks_learn_the_same(name: str) -> None:
    network = Network.load(name)
    build = Build(network=network)
    rng = np.random.default_rng(1)
    features = np.zeros((60, network.layers[0]), dtype=np.int64)
    one = min(1 << network.formats.activation.frac, network.formats.activation.max)
    features[:, : network.features] = rng.integers(0, one, size=(60, network.features))
    labels = rng.integers(network.classes, size=60)
    model = Model.initial(network, random_state=1)
    assert_equal(build, model, [Samples.train(features, labels, 4), Samples.evaluate(features, labels)])
    assert edge_bits(build, model) <= 32  # the fast one
    native = NativeReference(build, model)
    native.run(Samples.train(features, labels, 4))
    assert native.model().differences(model)


def test_sums_at_their_limits_do_not_overflow() -> None:
    """Largest operands of the largest sign in every edge, where sums just fit 32 bits."""
    network = small.NETWORK
    weight, activation = network.formats.weight, network.formats.activation
    fresh = small.model()
    model = Model(
        network=network,
        left=fresh.left,
        weights=tuple(np.full_like(w, weight.min) for w in fresh.weights),
        biases=tuple(np.full_like(b, weight.min) for b in fresh.biases),
        inputs=fresh.inputs,
    )
    features = np.full((20, network.layers[0]), activation.min)
    assert_equal(small.BUILD, model, [Samples.train(features, np.zeros(20, int), 2), Samples.predict(features)])


def test_refuses_what_the_reference_refuses() -> None:
    native = NativeReference(small.BUILD, small.model())
    before = native.model()
    samples = small.training(0, 4)
    samples.features[2, 0] = 5000
    with pytest.raises(FeatureError, match=r"^sample 2: its features must be -512 to 511"):
        native.run(samples)
    assert native.model().differences(before) == []
    assert native.counters["blocks"] == 0
    other = Network.load("digits-small")
    with pytest.raises(ModelError, match="the model is of network digits-small"):
        NativeReference(small.BUILD, Model.initial(other))
    assert native.run(samples[:0]).shape == (0, 4)


def test_without_a_compiler_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CompilerError, match=r"no C compiler .* sudo apt-get install gcc"):
        compiler.find_compiler()


def test_what_a_compiler_says_is_told(tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("int one(void) { return two; }\n")
    with pytest.raises(CompilerError, match=r"(?s)refuses wrong\.c \(status 1\).*two"):
        compiler.compile_library(source)
