"""The simulated core's harness, on a design that shows every bit it was given."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.contract.address_map import unpack_biases
from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.model import Model
from presparse_sim.core import SimulatedCore, Stalls
from presparse_sim.errors import DesignFault, SimulationError, SimulationStuck
from tests.networks import random_samples
from tests.sim import stand_ins
from tests.sim.stand_ins import checksum_design, small_build

pytestmark = pytest.mark.slow


STALLS = Stalls(samples=0.4, results=0.7, commands=0.3, answers=0.6, seed=5)


@dataclass
class Checksum:
    """The stand-in's behavior."""

    build: Build
    biases: NDArray[np.int64]  # words
    acc: int = 0
    scores: list[NDArray[np.int64]] = field(default_factory=list)

    def run(self, samples: Samples) -> None:
        port, width = self.build.feature_port, self.build.network.formats.output.width
        for kind, features, label, rate in zip(
            samples.kinds.tolist(), samples.features, samples.labels.tolist(), samples.rates.tolist(), strict=True
        ):
            for part in features.reshape(-1, port).tolist():
                total = sum((i + 1) * f for i, f in enumerate(part))
                self.acc = (5 * self.acc + 4 * total + kind + 16 * rate + label) % 2**32
            if kind == SampleKind.PREDICT:
                low = (self.acc + self.biases) % 2**width
                self.scores.append(np.where(low >= 2 ** (width - 1), low - 2**width, low))
            if kind == SampleKind.TRAIN:
                self.biases[label] = (self.biases[label] + self.acc) % 2**32


@pytest.fixture
def core() -> Iterator[SimulatedCore]:
    build = small_build()
    with SimulatedCore(build, design=checksum_design(build), patience=500) as core:
        yield core


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _break(core: SimulatedCore, fault: int) -> None:
    core.access(np.zeros(1, dtype=np.uint32), np.array([fault], dtype=np.uint32))


@pytest.mark.parametrize("stalls", [Stalls(), STALLS])
def test_every_bit_of_every_sample_arrives(core: SimulatedCore, rng: np.random.Generator, stalls: Stalls) -> None:
    expected = Checksum(core.build, np.zeros(8, dtype=np.int64))
    got = []
    for count in (1, 40, 0, 7):
        samples = random_samples(rng, core.build, count)
        expected.run(samples)
        got += [core.run(samples, stalls)]
    got += [core.flush(stalls)]
    assert np.array_equal(np.concatenate(got), np.array(expected.scores))
    _, _, biases = core.read(stalls=stalls)
    words = expected.biases.astype(np.uint32)
    assert np.array_equal(biases[0], unpack_biases(core.build.junctions[0], words))
    assert core.counters()["blocks"] == 49  # 48 samples and the flush


def test_results_that_are_under_way_come_with_the_flush(core: SimulatedCore, rng: np.random.Generator) -> None:
    samples = random_samples(rng, core.build, 3, kinds=[SampleKind.PREDICT])
    assert len(core.run(samples)) == 2
    assert len(core.flush()) == 1
    assert len(core.flush()) == 0


@pytest.mark.parametrize("stalls", [Stalls(), STALLS])
def test_what_was_loaded_is_read(core: SimulatedCore, rng: np.random.Generator, stalls: Stalls) -> None:
    biases = (rng.integers(-(1 << 15), 1 << 15, size=8),)
    model = replace(Model.initial(core.build.network, random_state=3), biases=biases)
    core.load(model, stalls=stalls)
    left, weights, biases_read = core.read(stalls=stalls)
    assert np.array_equal(left[0], model.left[0])
    assert np.array_equal(weights[0], model.weights[0])
    assert np.array_equal(biases_read[0], biases[0])


def test_stalls_repeat_by_seed(rng: np.random.Generator) -> None:
    build = small_build()
    samples = random_samples(rng, build, 30)
    cycles = []
    for stalls in (STALLS, STALLS, Stalls(samples=0.4, results=0.7, seed=6), Stalls()):
        with SimulatedCore(build, design=checksum_design(build)) as core:
            core.run(samples, stalls)
            core.flush(stalls)
            cycles.append(core.cycles)
    assert cycles[0] == cycles[1] != cycles[2]
    assert cycles[3] < min(cycles[:3]) / 1.3


def test_events_are_added_up(core: SimulatedCore) -> None:
    core.wait(100)
    counters = core.counters()
    assert counters["cycles"] == core.cycles == 100
    assert counters["saturated_delta"] == 3 * 100  # three in every cycle
    assert {count for name, count in counters.items() if name not in ("cycles", "saturated_delta")} == {0}
    core.clear_counters()
    assert set(core.counters().values()) == {0}
    core.wait(7)
    assert core.counters()["cycles"] == 7


def test_restart_forgets_results_under_way(core: SimulatedCore, rng: np.random.Generator) -> None:
    samples = random_samples(rng, core.build, 4, kinds=[SampleKind.PREDICT])
    core.run(samples)
    core.restart()
    assert len(core.flush()) == 0
    expected = Checksum(core.build, np.zeros(8, dtype=np.int64))
    expected.run(samples)
    assert np.array_equal(np.concatenate([core.run(samples), core.flush()]), np.array(expected.scores))


def test_access_in_flight_is_refused(core: SimulatedCore, rng: np.random.Generator) -> None:
    core.run(random_samples(rng, core.build, 2, kinds=[SampleKind.PREDICT]))
    with pytest.raises(DesignFault, match="refuses memory access while samples are in flight; flush it first"):
        core.read()


def test_answers_carry_their_flags(core: SimulatedCore) -> None:
    _, bad_address, not_drained = core.access(np.array([1 << 24, 9 << 24], dtype=np.uint32))
    assert bad_address.tolist() == [False, True]
    assert not_drained.tolist() == [False, False]


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (stand_ins.HANG, SimulationStuck, "moved nothing for 500 cycles while feeding 5 samples"),
        (stand_ins.UNEXPECTED_RESULT, DesignFault, "a result that no prediction asked for"),
        (stand_ins.WRONG_LAST, DesignFault, "`last` does not mark the last transfer of a result"),
        (stand_ins.UNSTABLE, DesignFault, "changed or vanished before it was taken"),
        (stand_ins.UNEXPECTED_ANSWER, DesignFault, "an answer to no command"),
    ],
)
def test_faults_of_the_design_are_named(
    core: SimulatedCore, rng: np.random.Generator, fault: int, error: type[Exception], message: str
) -> None:
    samples = random_samples(rng, core.build, 5, kinds=[SampleKind.PREDICT])
    with pytest.raises(error, match=message):  # noqa: PT012 (some faults show at once)
        _break(core, fault)
        core.run(samples, Stalls(results=0.8, seed=1))


def test_a_flush_without_an_end_is_given_up(core: SimulatedCore, rng: np.random.Generator) -> None:
    _break(core, stand_ins.NEVER_DRAINED)
    with pytest.raises(SimulationStuck, match="flushing"):
        core.flush()


def test_wrong_features_are_refused(core: SimulatedCore) -> None:
    with pytest.raises(ValueError, match=r"features have shape \(2, 12\), and these \(2, 11\)"):
        core.run(Samples.predict(np.zeros((2, 11), dtype=np.int64)))
    with pytest.raises(ValueError, match="features are -512 to 511, and these 0 to 512"):
        core.run(Samples.predict(np.array([[0] * 11 + [512]])))


def test_probabilities_that_never_end_are_refused() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 0\.99, and results is 1"):
        Stalls(results=1)


def test_instances_in_threads_do_not_mix(rng: np.random.Generator) -> None:
    build = small_build()
    batches = [random_samples(rng, build, 200) for _ in range(4)]
    results: dict[int, NDArray[np.int64]] = {}

    def work(number: int) -> None:
        with SimulatedCore(build, design=checksum_design(build)) as core:
            results[number] = np.concatenate([core.run(batches[number], STALLS), core.flush()])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, batch in enumerate(batches):
        expected = Checksum(build, np.zeros(8, dtype=np.int64))
        expected.run(batch)
        assert np.array_equal(results[number], np.array(expected.scores))


def test_a_closed_core_says_so(core: SimulatedCore) -> None:
    core.close()
    core.close()
    with pytest.raises(SimulationError, match="closed"):
        core.flush()


def test_trace(tmp_path: Path, rng: np.random.Generator) -> None:
    build = small_build()
    path = tmp_path / "run.vcd"
    samples = random_samples(rng, build, 3)
    design = replace(checksum_design(build), optimization="-O0")  # soon compiled
    with SimulatedCore(build, design=design, trace=path) as traced:
        scores = np.concatenate([traced.run(samples), traced.flush()])
        cycles = traced.cycles
    expected = Checksum(build, np.zeros(8, dtype=np.int64))
    expected.run(samples)
    assert scores.tolist() == [score.tolist() for score in expected.scores]
    text = path.read_text()
    assert "samples_payload" in text
    assert text.count("\n#") >= 2 * cycles


def test_a_trace_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said before a compile, which takes long."""
    build = small_build()
    stages: list[str] = []
    with pytest.raises(SimulationError, match="cannot be written"):
        SimulatedCore(build, design=checksum_design(build), trace=tmp_path / "no" / "run.vcd", progress=stages.append)
    assert stages == []
