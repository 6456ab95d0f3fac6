"""The reference in C has the bits of the reference in PyTorch: scores, weights, biases, counters."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import numpy as np
import pytest

from presparse.contract.build import Build
from presparse.contract.formats import Format, Formats
from presparse.contract.network import SHIPPED, Network
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.errors import FeatureError, ModelError
from presparse.model import Model
from presparse.reference.native import CompilerError, NativeReference, compiler, layout
from presparse.reference.native.layout import KINDS, Kind
from presparse.reference.native.widths import is_narrow, sum_bits
from presparse.reference.pytorch import Reference
from tests.host import small
from tests.networks import random_build, random_model, random_samples

PROCESSORS = ["native", *(["x86-64-v3", "x86-64"] if platform.machine() in ("x86_64", "AMD64") else [])]
"""This one, whatever it is; AVX2; and none of the vectors that the program knows."""


def assert_equal(build: Build, model: Model, samples: list[Samples], processor: str = "native") -> NativeReference:
    """Feed both, with a flush after every entry of `samples`."""
    exact, native = Reference(build, model), NativeReference(build, model, processor=processor)
    for part in samples:
        np.testing.assert_array_equal(native.run(part), exact.run(part))
        np.testing.assert_array_equal(native.flush(), exact.flush())
    assert native.model().differences(exact.model()) == []
    assert native.counters == exact.counters
    return native


def random_case(seed: int) -> tuple[Build, Model, list[Samples]]:
    """Layers of up to 24 neurons, every third of up to 96; kinds and rates mixed; predictions alone, too."""
    rng = np.random.default_rng(seed)
    build = random_build(rng, neurons=24 if seed % 3 else 96)
    samples = [random_samples(rng, build, count) for count in (40, 7, 90)]
    samples.append(random_samples(rng, build, 20, [SampleKind.PREDICT]))
    return build, random_model(rng, build.network), samples


def prefer(monkeypatch: pytest.MonkeyPatch, kind: Kind | None) -> None:
    """All junctions whose pattern allows it get this layout; None: whichever is cheapest."""
    if kind is not None:
        for costs in (layout._COST, layout._BACK_COST):
            monkeypatch.setitem(costs, kind, 1e-6)


PREFERRED: tuple[Kind | None, ...] = (None, *KINDS)
NARROW = (0, 5, 8, 10, 12, 16, 20, 22, 26, 29, 32, 33)
"""Seeds of networks whose numbers fit 16 bits: as many as processors times layouts."""
WIDE = {np.int32: (1, 2, 3, 6, 7, 9), np.int64: (4, 24, 27, 31, 45)}
"""Of others, by the type of their sums; they are computed in the same way on all processors."""


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(NARROW)))
def test_random_narrow_networks(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    build, model, samples = random_case(NARROW[place])
    assert is_narrow(build, model)
    prefer(monkeypatch, PREFERRED[place % 4])
    assert_equal(build, model, samples, PROCESSORS[place // 4 % len(PROCESSORS)])


@pytest.mark.slow
@pytest.mark.parametrize(("sums", "seed"), [(sums, seed) for sums, seeds in WIDE.items() for seed in seeds])
def test_random_wide_networks(sums: type, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    build, model, samples = random_case(seed)
    assert (is_narrow(build, model), sum_bits(build, model) <= 32) == (False, sums is np.int32)
    prefer(monkeypatch, PREFERRED[seed % 4])
    assert_equal(build, model, samples)


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
def test_two_hundred_random_networks(processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[str, int] = {}
    for seed in range(1000, 1200):
        with monkeypatch.context() as patch:
            prefer(patch, PREFERRED[seed % 4])
            counters = assert_equal(*random_case(seed), processor=processor).counters
        for counter, count in counters.items():
            counts[counter] = counts.get(counter, 0) + count
    assert min(counts.values()) > 100  # every counter counted, saturation of every kind provoked


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("width", [12, 16])
def test_weights_that_saturate_are_counted(width: int, processor: str) -> None:
    """Near both of their limits they run into them, and leave them again."""
    weight = Format(width=width, frac=width - 3)
    network = small.NETWORK.model_copy(update={"formats": Formats(weight=weight, operand_bits=10)})
    rng = np.random.default_rng(5)
    fresh = Model.initial(network, random_state=1)
    near = tuple(rng.choice([weight.min + 9, weight.max - 9], size=w.shape) for w in fresh.weights)
    model = Model(network=network, left=fresh.left, weights=near, biases=fresh.biases, inputs=fresh.inputs)
    features = rng.integers(-512, 512, size=(400, network.layers[0]))
    samples = [Samples.train(features, rng.integers(network.classes, size=400), network.rates.least)]
    native = assert_equal(Build(network=network), model, samples, processor)
    assert native.counters["saturated_weight"] > 100


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
    assert is_narrow(build, model)  # the fast one
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


def assert_refused(native: NativeReference, samples: Samples, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        native.run(samples)


def test_refuses_what_the_reference_refuses() -> None:
    native = NativeReference(small.BUILD, small.model())
    before = native.model()
    samples = small.training(0, 4)
    samples.features[2, 0] = 5000
    for dtype in (np.int64, np.int32, np.int16):  # those that are looked at in C, and those that are not
        typed = Samples(samples.kinds, samples.features.astype(dtype), samples.labels, samples.rates)
        assert_refused(native, typed, r"^sample 2: its features must be -512 to 511")
    samples.features[2, 0] = 1 << 16  # 0 in 16 bits
    assert_refused(native, samples, r"^sample 2: its features must be -512 to 511")
    assert native.model().differences(before) == []
    assert native.counters["blocks"] == 0
    other = Network.load("digits-small")
    assert_refused(
        native, Samples.train(small.training(0, 4).features, [0, 1, 9, 0], 3), r"^sample 2: its label must be"
    )
    assert_refused(native, Samples.train(small.training(0, 4).features, 0, 15), r"^sample 0: its rate exponent must")
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
