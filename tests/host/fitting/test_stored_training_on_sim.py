"""Runs over stored samples on the gateware itself: at the speed of the core, over bad links too, and exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import presparse as ps
from presparse.contract.address_map import STORE_WORDS
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.permutation import epoch_seed, permutation
from presparse.contract.samples import Samples
from presparse.contract.store import Contents, StoreState
from presparse.contract.wire import RunState, SampleKind, StoredRun
from presparse.data import load_digits
from presparse.device import session as session_module
from presparse.device.links.faulty import Faults
from presparse.device.protocol import Parameters
from presparse.device.session import Session
from presparse.errors import DeviceFault, StoreError
from presparse.features.inputs import Inputs
from presparse.history import History
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse_sim.board import open_link
from presparse_sim.chips.sdram import SdramFaults
from tests.host.device.cable import Cable
from tests.networks import random_model

pytestmark = pytest.mark.slow


FAST = Build(
    network=Network(
        features=30, classes=5, layers=(32, 16, 8), out_degree=(4, 4), lanes=(8, 4), activations=("relu", "sigmoid")
    ),
    store_samples=1500,
    sample_bits=3,
)
"""In block RAM; C = 16 in both junctions, and half as many transfers per sample; two padding features."""
WIDE = Build(
    network=Network(
        features=13, classes=3, layers=(16, 12, 4), out_degree=(6, 2), lanes=(4, 6), activations=("relu", "sigmoid")
    ),
    store_samples=1100,
    store_memory="sdram",
    sample_bits=6,
    sample_palettes="shared",
    feature_port=16,
)
"""In SDRAM; a port wider than the lanes, C = 24."""


def contents(rng: np.random.Generator, build: Build, count: int) -> Contents:
    network, fmt = build.network, build.network.formats.activation
    values = rng.integers(fmt.min, fmt.max + 1, size=1 << build.sample_bits)
    features = np.zeros((count, network.layers[0]), np.int64)
    features[:, : network.features] = rng.choice(values, size=(count, network.features))
    assert build.store is not None
    return Contents.encode(build.store, features, rng.integers(network.classes, size=count))


def finish(session: Session) -> RunState:
    while (state := session.follow()).running:
        pass
    return state


def assert_equal(held: Parameters, reference: Reference) -> None:
    expected = reference.model()
    for kind in ("left", "weights", "biases"):
        for a, b in zip(getattr(held, kind), getattr(expected, kind), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=kind)


@pytest.mark.parametrize(("build", "late"), [(FAST, 0), (WIDE, 2)], ids=["block RAM", "SDRAM"])
def test_runs_equal_the_reference_at_the_speed_of_the_core(build: Build, late: int) -> None:
    """`late`: half cycles, of the SDRAM's data; its test finds out."""
    rng = np.random.default_rng(1)
    assert FAST.network.layers[0] // FAST.feature_port == FAST.junctions[0].cycles // 2 == 8
    model, stored = random_model(rng, build.network), contents(rng, build, build.store_samples)
    reference = Reference(build, model)
    session = Session(lambda: open_link(build, sdram_late=late), build)
    session.load(model)
    session.store(stored)
    period, count = build.schedule.period, build.store_samples
    runs = [
        StoredRun(kind=SampleKind.TRAIN, rate=4, slot=stored.slot, count=count, seed=0xBADC0DE),
        StoredRun(kind=SampleKind.EVALUATE, slot=stored.slot, count=count),
        StoredRun(kind=SampleKind.TRAIN, rate=6, slot=stored.slot, first=count // 3, count=count // 2 + 1, seed=7),
        StoredRun(kind=SampleKind.TRAIN, rate=2, slot=stored.slot, first=count - 1, count=1, seed=7),
    ]
    identity = session.identify()
    assert (identity.store, identity.read_phase) == (StoreState.READY, late)
    for number, run in enumerate(runs, start=1):
        session.clear_counters()
        session.begin(run)
        assert finish(session) == RunState(running=False, fed=run.count, runs=number)
        counters = session.counters()
        if build is FAST:  # a refresh of SDRAM may show for some cycles
            assert counters["stalls_sample"] == 0
        # Beside the flush and what it drains, a period per sample and not a cycle more.
        drained = (build.schedule.depth + 1) * period + build.schedule.settle
        assert counters["cycles"] < run.count * period + drained + 2 * build.network.layers[0]
        if run.count == count:
            assert counters["cycles"] - drained <= 1.01 * count * period
        reference.counters = dict.fromkeys(reference.counters, 0)
        reference.run(stored.samples(run))
        reference.flush()
        assert {c: counters[c] for c in reference.counters} == reference.counters
        assert_equal(session.read(), reference)
    session.close()


@pytest.mark.parametrize("seed", [0, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1, 3))])
def test_faults_and_cuts_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, samples over the link and stops between them; every second session is cut, the others lose bytes."""
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)
    rng = np.random.default_rng(seed)
    build = (FAST, WIDE)[seed // 2]
    board = open_link(build, stall=0.2, seed=seed)
    cable = Cable(board)
    session = Session(cable, build, timeout=0.02, retries=60)
    model, stored = random_model(rng, build.network), contents(rng, build, 400)
    reference = Reference(build, model)
    session.load(model)
    session.store(stored)
    for number in range(8):
        if seed % 2:
            cable.last.cut_after = int(rng.integers(1, 200))
        else:
            cable.last.faults = Faults(rng, 0.2)
        count, order = int(rng.integers(1, 401)), int(rng.integers(2**32))
        run = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=stored.slot, count=count, seed=order)
        session.begin(run)
        if number % 2:
            fed = session.stop().fed
            assert fed <= run.count
        else:
            fed = finish(session).fed
            assert fed == run.count
        reference.run(stored.samples(run)[:fed])
        reference.flush()
        samples = stored.samples(StoredRun(kind=SampleKind.TRAIN, rate=3, slot=stored.slot, count=3))
        session.feed(samples)
        session.flush()
        reference.run(samples)
        reference.flush()
    cable.last.cut_after = None
    assert_equal(session.read(), reference)
    if seed % 2:
        assert len(cable.opened) > 1
    else:
        assert session.counters()["frames_repeated"] > 0
    board.close()


@pytest.mark.parametrize("build", [FAST, WIDE], ids=["block RAM", "SDRAM"])
def test_a_run_ends_before_a_bad_sample_and_by_a_reset(build: Build) -> None:
    """And leaves nothing behind, neither in the memory's queues nor in the decoder or the core."""
    rng = np.random.default_rng(5)
    model, stored = random_model(rng, build.network), contents(rng, build, 60)
    whole = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=stored.slot, count=60, seed=99)
    bad = 17  # the place in the run
    number = int(whole.indices()[bad])
    spoiled = Contents(layout=stored.layout, codes=stored.codes, labels=stored.labels, palettes=stored.palettes)
    address = STORE_WORDS + (number << stored.slot - 1)
    spoiled.words[address] = spoiled.words[address] ^ np.uint32(1 << 31)  # the mask's highest bit is no block's
    session = Session(lambda: open_link(build), build)
    session.store(spoiled)
    for _ in range(2):
        session.load(model)
        reference = Reference(build, model)
        session.begin(whole)
        with pytest.raises(DeviceFault, match=f"run ended after {bad} of 60 samples"):
            finish(session)
        reference.run(stored.samples(whole)[:bad])
        reference.flush()
        samples = stored.samples(StoredRun(kind=SampleKind.TRAIN, rate=3, slot=stored.slot, count=5))
        session.feed(samples)
        session.flush()
        reference.run(samples)
        reference.flush()
        assert_equal(session.read(), reference)
    session.store(stored)
    for _ in range(5):
        session.begin(whole)
        session.reset()
        session.load(model)
        session.clear_counters()
        session.begin(whole)
        assert finish(session).fed == 60
        reference = Reference(build, model)
        reference.run(stored.samples(whole))
        reference.flush()
        assert_equal(session.read(), reference)
    session.close()


def test_a_board_whose_memory_fails_works_without_it() -> None:
    rng = np.random.default_rng(6)
    model, stored = random_model(rng, WIDE.network), contents(rng, WIDE, 20)
    session = Session(lambda: open_link(WIDE, sdram_faults=SdramFaults(data_mask=1 << 5)), WIDE)
    assert session.store_state() == StoreState.FAILED
    with pytest.raises(StoreError):
        session.store(stored)
    samples = stored.samples(StoredRun(kind=SampleKind.TRAIN, rate=3, slot=stored.slot, count=20))
    reference = Reference(WIDE, model)
    session.load(model)
    session.feed(samples)
    session.flush()
    reference.run(samples)
    reference.flush()
    assert_equal(session.read(), reference)
    session.close()


@pytest.mark.filterwarnings("ignore:the memory of the board's store failed")
@pytest.mark.parametrize(
    ("build", "options"),
    [(FAST, {}), (WIDE, {"sdram_faults": SdramFaults(data_mask=1 << 5)})],
    ids=["from the store", "over the link"],
)
def test_rates_that_are_searched_for_and_balanced_classes(build: Build, options: dict[str, Any]) -> None:
    """The core finds what the emulator finds, and learns the same; without a memory that works, over the link."""
    rng = np.random.default_rng(2)
    network = build.network
    y = rng.choice(network.classes, size=400, p=np.arange(network.classes, 0, -1) / sum(range(network.classes + 1)))
    means = rng.choice([-1.0, 1.0], size=(network.classes, network.features))
    X = np.round(2 * np.clip(means[y] + rng.normal(0, 0.4, size=(400, network.features)), -1, 1))
    found: list[tuple[History, Model]] = []
    for device, given in (("sim", options), ("emulator:c", {})):
        with ps.open(device, build, **given) as board:
            history = board.fit(X, y, epochs=4, random_state=3, class_weight="balanced")
            found.append((history, board.read_model()))
    (sim, model), (emulator, wanted) = found
    assert model.differences(wanted) == []
    assert (sim.source, emulator.source) == ("link" if options else "store", "store")
    assert (sim.chosen, sim.kept) == (emulator.chosen, emulator.kept)
    both = [[(e.lr, e.samples, e.accuracy, e.validation) for e in h.epochs] for h in (sim, emulator)]
    assert both[0] == both[1]
    assert sim.epochs[-1].accuracy > 0.8


@pytest.mark.nightly
def test_digits_from_the_store() -> None:
    """At most 1 % more cycles than C per sample, over whole epochs; the same bits, of course."""
    X, y = load_digits()
    build = Build(network=Network.load("digits-small"), store_samples=1797, sample_bits=5)
    cycles = max(junction.cycles for junction in build.junctions)
    model = Model.initial(build.network, random_state=1, inputs=Inputs.fit(X))
    with ps.open("sim", build) as board:
        board.load(model)
        board.store(X, y)
        board.clear_counters()
        history = board.fit(epochs=2, lr=2**-4, random_state=3)
        counters = board.counters()
        trained, accuracy = board.read_model(), board.score()
    assert history.source == "store"
    assert counters["trained"] == 2 * 1797
    assert cycles <= counters["cycles"] / counters["trained"] <= 1.01 * cycles
    reference, features = Reference(build, model), model.encode(X)
    for epoch in (1, 2):
        order = permutation(1797, epoch_seed(3, epoch))
        reference.run(Samples.train(features[order], y[order], 4))
        reference.flush()
    assert trained.differences(reference.model()) == []
    assert accuracy == (reference.scores(features)[:, :10].argmax(axis=1) == y).mean()
