"""The whole core against the PyTorch reference: every score, weight, bias and counter, by equality.

Random networks come from `tests.networks`; `--networks N` says how many are compiled.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.contract.address_map import CORE_COUNTERS, Counter, bias_address, edge_address, pack_biases, pack_edges
from presparse.contract.build import Build
from presparse.contract.formats import Format, Formats
from presparse.contract.network import Network, RateRange
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse_sim.core import NO_STALLS, SimulatedCore, Stalls
from presparse_sim.design import core_design
from tests.networks import bank_balanced, random_build, random_model, random_samples

pytestmark = pytest.mark.slow


TIMED = ("cycles", "stalls_sample", "stalls_result")
"""Counters that depend on when samples come, not only on their order."""


def compiled_soon(build: Build) -> SimulatedCore:
    """A core for some hundred samples, for which a third of the time of compiling would be g++'s optimization."""
    return SimulatedCore(build, design=replace(core_design(build), optimization="-O0"))


def random_stalls(rng: np.random.Generator) -> Stalls:
    """None at all in one draw of three; else any of the streams may be slow."""
    if rng.random() < 1 / 3:
        return NO_STALLS
    samples, results, commands, answers = rng.choice([0.0, 0.1, 0.5, 0.9], size=4)
    return Stalls(samples=samples, results=results, commands=commands, answers=answers, seed=int(rng.integers(1 << 32)))


def in_parts(rng: np.random.Generator, samples: Samples) -> list[Samples]:
    cuts = [0, *sorted(int(c) for c in rng.integers(0, len(samples) + 1, size=2)), len(samples)]
    return [samples[a:b] for a, b in itertools.pairwise(cuts)]


def assert_same_state(core: SimulatedCore, reference: Reference) -> None:
    """Every edge, weight and bias, and every counter that order alone decides."""
    expected = reference.model()
    left, weights, biases = core.read()
    for i in range(len(expected.left)):
        np.testing.assert_array_equal(left[i], expected.left[i], err_msg=f"pattern of junction {i + 1}")
        np.testing.assert_array_equal(weights[i], expected.weights[i], err_msg=f"weights of junction {i + 1}")
        np.testing.assert_array_equal(biases[i], expected.biases[i], err_msg=f"biases of junction {i + 1}")
    counters = core.counters()
    ordered: list[Counter] = [name for name in CORE_COUNTERS if name not in TIMED]
    assert {name: counters[name] for name in ordered} == {name: reference.counters[name] for name in ordered}


def run_both(
    core: SimulatedCore, reference: Reference, parts: list[Samples], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Feed the parts to both, a flush after each, and compare all scores; returns them."""
    got, wanted = [], []
    for part in parts:
        got += [core.run(part, random_stalls(rng)), core.flush(random_stalls(rng))]
        wanted += [reference.run(part), reference.flush()]
    np.testing.assert_array_equal(np.concatenate(got), np.concatenate(wanted))
    return np.concatenate(got)


def test_random_networks_equal_the_reference(network_seed: int) -> None:
    rng = np.random.default_rng(network_seed)
    build = random_build(rng, neurons=36)  # with larger layers only the compiling takes longer
    with compiled_soon(build) as core:
        for _ in range(3):  # one pattern after another, without a restart: nothing of the old one may stay
            model = random_model(rng, build.network)
            reference = Reference(build, model)
            core.load(model, stalls=random_stalls(rng))
            core.clear_counters()
            run_both(core, reference, in_parts(rng, random_samples(rng, build, 150)), rng)
            assert_same_state(core, reference)


DEEP = Network(
    features=24,
    classes=10,
    layers=(24, 48, 24, 12, 12),
    out_degree=(8, 6, 4, 6),
    lanes=(8, 12, 24, 12),
    activations=("relu", "sigmoid", "identity", "sigmoid"),
)
"""Four junctions, groups of one and of several right neurons, banks of one, three and four rows, unequal cycles."""
DEEP_BUILD = Build(network=DEEP, feature_port=24)


@pytest.fixture(scope="module")
def core() -> SimulatedCore:
    return compiled_soon(DEEP_BUILD)


def test_time_does_not_matter(core: SimulatedCore) -> None:
    """The same samples with other stalls: the same bits."""
    rng = np.random.default_rng(5)
    model, samples = random_model(rng, DEEP), random_samples(rng, DEEP_BUILD, 200)
    slow_all = Stalls(samples=0.5, results=0.5, commands=0.5, answers=0.5)
    outcomes = []
    for stalls in (NO_STALLS, Stalls(samples=0.97, seed=1), Stalls(results=0.97, seed=2), slow_all):
        core.restart()
        core.load(model)
        scores = np.concatenate([core.run(samples, stalls), core.flush(stalls)])
        left, weights, biases = core.read()
        counters = {name: count for name, count in core.counters().items() if name not in TIMED}
        outcomes.append((scores.tobytes(), *(a.tobytes() for a in (*left, *weights, *biases)), counters))
    assert all(outcome == outcomes[0] for outcome in outcomes[1:])


def test_left_neurons_without_edges_have_delta_zero(core: SimulatedCore) -> None:
    """A learned pattern after a dense one: what BP left for neurons that are now alone must not be used."""
    rng = np.random.default_rng(9)
    core.restart()
    for _ in range(3):
        dense = random_model(rng, DEEP)
        left = tuple(bank_balanced(rng, j) for j in DEEP.junctions)
        assert any(
            (np.bincount(edges.ravel(), minlength=j.left) == 0).any()
            for edges, j in zip(left, DEEP.junctions, strict=True)
        )
        learned = Model(**{**vars(dense), "left": left})
        for model in (dense, learned):
            reference = Reference(DEEP_BUILD, model)
            core.load(model)
            core.clear_counters()
            run_both(core, reference, [random_samples(rng, DEEP_BUILD, 60, [SampleKind.TRAIN])], rng)
            assert_same_state(core, reference)


def test_restart_keeps_weights_and_forgets_the_rest(core: SimulatedCore) -> None:
    rng = np.random.default_rng(11)
    model = random_model(rng, DEEP)
    core.restart()
    core.load(model)
    core.run(random_samples(rng, DEEP_BUILD, 30, [SampleKind.PREDICT]))  # in flight, results unread
    core.restart()
    assert set(core.counters().values()) == {0}
    reference = Reference(DEEP_BUILD, model)
    run_both(core, reference, [random_samples(rng, DEEP_BUILD, 80)], rng)
    assert_same_state(core, reference)


def test_words_read_back_as_they_are_packed(core: SimulatedCore) -> None:
    """Bit for bit: signs end at the weight's field, and the words between rows are 0."""
    model = random_model(np.random.default_rng(13), DEEP)
    core.restart()
    core.load(model)
    for i, j in enumerate(DEEP_BUILD.junctions):
        for start, words in (
            (edge_address(j.index), pack_edges(j, model.left[i], model.weights[i])),
            (bias_address(j.index), pack_biases(j, model.biases[i])),
        ):
            addresses = np.arange(start, start + len(words), dtype=np.uint32)
            read, bad_address, not_drained = core.access(addresses)
            np.testing.assert_array_equal(read, words)
            assert not bad_address.any()
            assert not not_drained.any()


def test_addresses_out_of_range_and_samples_in_flight_are_refused(core: SimulatedCore) -> None:
    rng = np.random.default_rng(12)
    core.restart()
    core.load(random_model(rng, DEEP))
    wrong = np.array([0, 5, 0x09 << 24, 0xFFFFFFFF, edge_address(1, 10**6)], dtype=np.uint32)
    for data in (None, np.full(len(wrong), 0xFFFFFFFF, dtype=np.uint32)):
        words, bad_address, _ = core.access(wrong, data)
        assert bad_address.all()
        assert not words.any()
    core.run(random_samples(rng, DEEP_BUILD, 3, [SampleKind.TRAIN]))
    _, bad_address, not_drained = core.access(np.array([edge_address(1)], dtype=np.uint32))
    assert not_drained.all()
    assert not bad_address.any()


@pytest.mark.parametrize("lanes", [(8, 12, 24, 12), (4, 6, 8, 6)])
def test_steady_state_takes_no_cycle_more_than_the_period(lanes: tuple[int, ...]) -> None:
    build = Build(network=DEEP, lanes=lanes, feature_port=24)
    assert build.schedule.gap == 0
    rng = np.random.default_rng(3)
    with compiled_soon(build) as core:
        core.load(random_model(rng, DEEP))
        samples = random_samples(rng, build, 300, [SampleKind.TRAIN])
        core.run(samples[:100])
        blocks, cycles = core.counters()["blocks"], core.cycles
        core.run(samples[100:])
        # Measured from acceptance to acceptance, so that whole periods have passed.
        assert core.counters()["blocks"] - blocks == 200
        assert core.cycles - cycles == 200 * build.schedule.period
        assert core.counters()["stalls_sample"] == 0


@pytest.mark.parametrize("operand_bits", [16, 12])
def test_extreme_values_wrap_nowhere(operand_bits: int) -> None:
    """Largest magnitudes everywhere: every sum reaches the width that the contract computed for it."""
    formats = Formats(
        activation=Format(width=6, frac=4),
        weight=Format(width=16, frac=13),
        operand_bits=operand_bits,
        delta=Format(width=8, frac=7),
        output=Format(width=6, frac=4),
    )
    network = Network(
        features=8,
        classes=4,
        layers=(8, 8, 4),
        out_degree=(8, 4),
        lanes=(8, 4),
        activations=("identity", "identity"),
        formats=formats,
        rates=RateRange(least=0, most=3),
    )
    build = Build(network=network, feature_port=8)
    rng = np.random.default_rng(operand_bits)
    with compiled_soon(build) as core:
        for extreme in (formats.weight.min, formats.weight.max):
            initial = Model.initial(network, random_state=1)
            model = Model(
                **{
                    **vars(initial),
                    "weights": tuple(np.full_like(w, extreme) for w in initial.weights),
                    "biases": tuple(np.full_like(b, extreme) for b in initial.biases),
                }
            )
            features = rng.choice([formats.activation.min, formats.activation.max], size=(60, 8))
            features[:30] = formats.activation.min
            samples = Samples.train(features, rng.integers(4, size=60), rng.integers(4, size=60))
            reference = Reference(build, model)
            core.load(model)
            core.clear_counters()
            run_both(core, reference, [samples, Samples.predict(features)], rng)
            assert_same_state(core, reference)


@pytest.mark.parametrize(
    ("layers", "out_degree", "lanes", "mode", "result_capacity"),
    [
        ((64, 1, 8), (1, 8), (1, 1), "train", 2),  # one step of 64 cycles: BP overwrites its sums half-way
        ((96, 4, 8), (2, 4), (6, 2), "train", 2),  # the same in steps of 8 cycles
        ((2, 2), (1,), (1,), "infer", 1),  # two transfers in a row fill the result queue
        ((6, 3), (1,), (2,), "infer", 1),
        ((1, 1), (1,), (1,), "train", 1),
        ((1, 1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1), "train", 9),  # the shortest period, many blocks deep
        ((8, 8, 8), (1, 1), (8, 8), "infer", 8),  # one cycle per junction
    ],
)
def test_extreme_shapes_equal_the_reference(
    layers: tuple[int, ...],
    out_degree: tuple[int, ...],
    lanes: tuple[int, ...],
    mode: Literal["train", "infer"],
    result_capacity: int,
) -> None:
    network = Network(
        features=layers[0],
        classes=layers[-1],
        layers=layers,
        out_degree=out_degree,
        lanes=lanes,
        activations=("identity",) * len(lanes),
        rates=RateRange(least=4, most=4),
    )
    build = Build(network=network, mode=mode, feature_port=layers[0], result_capacity=result_capacity)
    rng = np.random.default_rng(sum(layers))
    with compiled_soon(build) as core:
        for _ in range(3):
            model = random_model(rng, network)
            reference = Reference(build, model)
            core.load(model)
            core.clear_counters()
            run_both(core, reference, in_parts(rng, random_samples(rng, build, 100)), rng)
            assert_same_state(core, reference)


def test_restart_forgets_what_was_about_to_be_counted(core: SimulatedCore) -> None:
    """In the middle of any block: nothing of before is counted, and what follows is as after power-on."""
    rng = np.random.default_rng(14)
    core.restart()
    for cycles in range(0, DEEP_BUILD.schedule.period, 3):
        model = random_model(rng, DEEP)
        weight = DEEP.formats.weight
        extreme = tuple(np.where(w < 0, weight.min, weight.max) for w in model.weights)
        model = Model(**{**vars(model), "weights": extreme})
        core.load(model)
        core.run(random_samples(rng, DEEP_BUILD, 30, [SampleKind.TRAIN]))
        core.wait(cycles)
        assert core.counters()["saturated_weight"] > 0
        core.restart()
        core.wait(50)
        assert set(core.counters().values()) == {0}
    core.load(model)
    reference = Reference(DEEP_BUILD, model)
    run_both(core, reference, [random_samples(rng, DEEP_BUILD, 80)], rng)
    assert_same_state(core, reference)
