"""Training from a board's store: the same bits as over the link and in the reference, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.accelerator import Accelerator
from presparse.contract.address_map import SAMPLE_PALETTES, STORE_WORDS
from presparse.contract.build import Build
from presparse.contract.permutation import epoch_seed, permutation
from presparse.contract.samples import Samples
from presparse.contract.store import Contents
from presparse.contract.wire import RunState, SampleKind, StoredRun
from presparse.device import session as session_module
from presparse.device.links.faulty import DAMAGE, Faults
from presparse.device.memory_transfer import LOOKED_AT, pieces
from presparse.device.session import Session
from presparse.errors import (
    ArgumentError,
    BuildError,
    DeviceFault,
    DeviceMismatch,
    LinkTimeout,
    PresparseError,
    StoreError,
    StoreWarning,
)
from presparse.features.inputs import Inputs
from presparse.fitting.holding_out import hold_out
from presparse.history import History, Progress
from presparse.model import Model
from presparse.reference.emulator import Emulator
from presparse.reference.pytorch import Reference
from tests.host import small
from tests.host.device.cable import Cable
from tests.host.device.protocol_board import RUN, SAMPLES, BoardLink, ProtocolBoard

pytestmark = pytest.mark.slow


QUICK = 0.02
STORE: dict[str, Any] = {"result_capacity": 16, "store_samples": 600, "sample_bits": 6}
BUILD = Build(network=small.NETWORK, **STORE)


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)


def clusters(seed: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """In steps of 4, so that the store can tell all values apart."""
    X, y = small.clusters(seed, count)
    return 4 * np.round(X / 4), y


def scaled_model(X: NDArray[np.float64], seed: int = 0, palettes: int | None = None) -> Model:
    return Model.initial(small.NETWORK, random_state=seed, inputs=Inputs.fit(X, palettes=palettes))


def on_board(build: Build = BUILD) -> Accelerator:
    board = ProtocolBoard(build)
    return Accelerator(Session(lambda: BoardLink(board), build))


def on_emulator(build: Build = BUILD) -> Accelerator:
    return Accelerator(Emulator(build))


@pytest.fixture(params=[on_board, on_emulator], ids=["board", "emulator"])
def open_board(request: pytest.FixtureRequest) -> Callable[[Build], Accelerator]:
    return request.param


def reference_fit(
    model: Model, X: NDArray[np.float64], y: NDArray[np.int64], exponents: list[int], seed: int | None
) -> Reference:
    reference = Reference(BUILD, model)
    features = model.encode(X)
    for epoch, exponent in enumerate(exponents, start=1):
        order = np.arange(len(y)) if seed is None else permutation(len(y), epoch_seed(seed, epoch))
        reference.run(Samples.train(features[order], y[order], exponent))
        reference.flush()
    return reference


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({}, "store"),
        ({"sample_palettes": "shared", "sample_bits": 9}, "store"),
        ({"feature_port": 2, "sample_bits": 7}, "store"),
        ({"store_samples": 400}, "store"),
        ({"store_samples": 399}, "link"),
        ({"store_samples": 0}, "link"),
    ],
)
def test_the_way_of_the_samples_changes_no_bit(
    open_board: Callable[[Build], Accelerator], options: dict[str, Any], source: str, shuffle: bool
) -> None:
    X, y = clusters(1, 400)
    held_out = clusters(2, 150)
    model = scaled_model(X, seed=5)
    reports: list[Progress] = []
    with open_board(Build(network=small.NETWORK, **(STORE | options))) as board:
        board.load(model)
        history = board.fit(
            X, y, epochs=3, lr=[2**-3, 2**-4, 2**-4], shuffle=shuffle, random_state=11, validation=held_out,
            progress=reports.append,
        )  # fmt: skip
        trained = board.read_model()
        counters = board.counters()
    reference = reference_fit(model, X, y, [3, 4, 4], 11 if shuffle else None)
    assert trained.differences(reference.model()) == []
    assert history.source == source
    assert not history.interrupted
    assert [e.samples for e in history.epochs] == [400] * 3
    assert sum(round(e.accuracy * 400) for e in history.epochs) == reference.counters["correct"]
    classes = reference.scores(model.encode(held_out[0]))[:, :3].argmax(axis=1)
    assert history.epochs[-1].validation == (classes == held_out[1]).mean()
    assert (counters["trained"], counters["evaluated"]) == (1200, 450)
    ends = [r for r in reports if r.samples == 400]
    assert [(r.epoch, r.validation) for r in ends] == [(i, e.validation) for i, e in enumerate(history.epochs, start=1)]
    assert len(reports) > 3
    assert all(0 < r.samples <= r.of == 400 for r in reports)


def test_reasons() -> None:
    X, y = clusters(1, 400)
    reasons: list[tuple[dict[str, Any], str]] = [
        (
            {},
            "400 samples are in the board's block RAM, 12 bytes each: one in about 12 cycles, ",
        ),
        ({"store_memory": "sdram", "store_samples": 999}, "400 samples are in the board's SDRAM, 12 bytes each"),
        ({"store_samples": 10}, "the board's store holds 40 samples of up to 2 words, and these are 400; 14 bytes"),
        ({"sample_bits": 2}, "the board's sample words tell 4 values apart (2 bits, per feature), and feature 0 has"),
        ({"store_samples": 0}, "the board has no sample store; 14 bytes per sample, compressed, 20 without"),
        (
            {"store_samples": 0, "sample_bits": 0},
            "the board has no sample store",
        ),
        (
            {"store_samples": 0, "sample_bits": 2},
            "the board has no sample store; 20 bytes per sample, uncompressed: the board's sample words tell 4 values",
        ),
    ]
    for options, reason in reasons:
        board = on_emulator(Build(network=small.NETWORK, **(STORE | options)))
        board.load(scaled_model(X))
        history = board.fit(X, y, epochs=3, lr=2**-5)
        assert history.reason.startswith(reason), history.reason


def test_samples_are_stored_once() -> None:
    X, y = clusters(1, 400)
    simulated = ProtocolBoard(BUILD)
    board = Accelerator(Session(lambda: BoardLink(simulated), BUILD))
    board.load(scaled_model(X))
    board.fit(X, y, epochs=1, lr=2**-5)
    simulated.executed.clear()
    board.fit(X, y, epochs=2, lr=2**-5)
    assert len(simulated.executed) < 60
    assert SAMPLES not in simulated.executed
    board.fit(X, y[::-1], epochs=1, lr=2**-5)
    assert len(simulated.executed) > 60


def test_store_then_fit_then_score(open_board: Callable[[Build], Accelerator]) -> None:
    """Without data: the last samples of the store are held out."""
    X, y = clusters(1, 500)
    shares: list[tuple[int, int]] = []
    with open_board(BUILD) as board:
        board.store(X, y, random_state=7, progress=lambda done, of: shares.append((done, of)))
        history = board.fit(epochs=2, lr=2**-3, random_state=7, validation=0.2)
        trained = board.read_model()
        accuracy = board.score()
        by_link = board.score(X, y)
        more = board.fit(epochs=1, lr=2**-4, validation=100)
        last = board.read_model()
    model = scaled_model(X, seed=7, palettes=64)
    reference = reference_fit(model, X[:400], y[:400], [3, 3], 7)
    assert trained.differences(reference.model()) == []
    classes = reference.scores(model.encode(X))[:, :3].argmax(axis=1)
    assert history.source == more.source == "store"
    assert history.epochs[-1].validation == (classes == y)[400:].mean()
    assert accuracy == by_link == (classes == y).mean()
    order = permutation(400, epoch_seed(0, 1))
    reference.run(Samples.train(model.encode(X)[order], y[order], 4))
    reference.flush()
    assert last.differences(reference.model()) == []
    if shares:
        assert shares == sorted(shares)
        assert shares[-1][0] == shares[-1][1]
        assert len(shares) > 10


def test_validation_that_does_not_fit_stays_on_the_link() -> None:
    X, y = clusters(1, 400)
    held_out = clusters(2, 400)
    simulated = ProtocolBoard(BUILD)
    board = Accelerator(Session(lambda: BoardLink(simulated), BUILD))
    board.load(scaled_model(X))
    history = board.fit(X, y, epochs=1, lr=2**-5, validation=held_out)
    assert history.source == "store"
    assert SAMPLES in simulated.executed
    assert history.epochs[0].validation == board.score(*held_out)
    stored = board.fit(epochs=1, lr=2**-5, validation=held_out)
    assert stored.epochs[0].validation == board.score(*held_out)


def test_a_share_of_the_samples_is_held_out_without_a_store_too() -> None:
    X, y = clusters(1, 400)
    histories, models = [], []
    for build in (BUILD, Build(network=small.NETWORK, result_capacity=16)):
        board = on_emulator(build)
        board.load(scaled_model(X))
        histories.append(board.fit(X, y, epochs=2, lr=2**-5, validation=0.25).epochs)
        models.append(board.read_model())
    assert [e.validation for e in histories[0]] == [e.validation for e in histories[1]]
    assert [e.samples for e in histories[1]] == [300, 300]
    assert models[0].differences(models[1]) == []
    learned, _ = hold_out(y, 0.25, 0)
    wanted = reference_fit(scaled_model(X), X[learned], y[learned], [5, 5], 0).model()
    assert models[0].differences(wanted) == []


X, Y = clusters(3, 20)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda b: b.fit(), StoreError, r"nothing is stored on this board yet; call store\(X, y\), or pass X and y"),
        (lambda b: b.score(), StoreError, "nothing is stored"),
        (lambda b: b.store(X, Y[:-1]), PresparseError, "one label per sample"),
        (lambda b: b.store(np.tile(X, (31, 1)), np.tile(Y, 31)), StoreError, "holds 600 samples of .* these are 620"),
        (lambda b: b.score(X), ArgumentError, "X and y come together"),
    ],
)
def test_bad_use(call: Callable[[Accelerator], object], error: type[PresparseError], message: str) -> None:
    simulated = ProtocolBoard(BUILD)
    board = Accelerator(Session(lambda: BoardLink(simulated), BUILD))
    board.load(scaled_model(X))
    simulated.executed.clear()
    with pytest.raises(error, match=message):
        call(board)
    assert simulated.executed == []


def test_another_scaling_needs_another_upload() -> None:
    X, y = clusters(1, 100)
    board = on_emulator()
    board.store(X, y)
    board.load(scaled_model(X, seed=9, palettes=64))
    board.fit(epochs=1, lr=2**-5)
    board.load(scaled_model(X / 2))
    with pytest.raises(StoreError, match=r"encoded for a model with another scaling; call store\(X, y\) again"):
        board.fit(epochs=1, lr=2**-5)
    assert board.fit(X, y, epochs=1, lr=2**-5).source == "store"
    board.fit(epochs=1, lr=2**-5)


def test_an_emulator_needs_a_model_and_samples() -> None:
    emulator = Emulator(BUILD)
    run = StoredRun(kind=SampleKind.TRAIN, rate=3, slot=3, count=1)
    with pytest.raises(StoreError, match="nothing is stored; store samples first"):
        emulator.begin(run)
    with pytest.raises(BuildError, match="has no sample store"):
        Emulator(small.BUILD).store(contents(4), lambda done, of: None)
    assert emulator.stop() == emulator.follow() == RunState(running=False, fed=0, runs=0)


# The session


def contents(count: int) -> Contents:
    assert BUILD.store is not None
    rng = np.random.default_rng(count)
    return Contents.encode(BUILD.store, small.features(rng, count) // 16 * 16, rng.integers(3, size=count))


TRAINING = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=contents(300).slot, count=300, seed=0xC0FFEE)


def finish(session: Session) -> RunState:
    while (state := session.follow()).running:
        pass
    return state


def trained(model: Model, stored: Contents, *runs: StoredRun) -> Reference:
    reference = Reference(BUILD, model)
    for run in runs:
        reference.run(stored.samples(run))
        reference.flush()
    return reference


def assert_holds(session: Session, reference: Reference) -> None:
    held, expected = session.read(), reference.model()
    for kind in ("left", "weights", "biases"):
        for a, b in zip(getattr(held, kind), getattr(expected, kind), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=kind)


@pytest.mark.parametrize("seed", range(6))
def test_a_faulty_link_changes_nothing(seed: int) -> None:
    """Bytes lost, flipped, doubled: every run is executed exactly once."""
    rng = np.random.default_rng(seed)
    board = ProtocolBoard(BUILD)
    session = Session(Cable(BoardLink(board), Faults(rng, 0.2)), BUILD, timeout=QUICK, retries=60)
    model, stored = small.model(), contents(300)
    session.load(model)
    session.store(stored)
    for number in (1, 2, 3):
        session.begin(TRAINING)
        assert finish(session) == RunState(running=False, fed=300, runs=number)
    assert_holds(session, trained(model, stored, TRAINING, TRAINING, TRAINING))
    assert session.identify().accepted == 900
    assert session.counters()["frames_repeated"] > 0


@pytest.mark.parametrize("after", range(1, 200, 19))
def test_cuts_change_nothing(after: int) -> None:
    """The link closes after so many bytes of a run and what follows, wherever that is."""
    board = ProtocolBoard(BUILD)
    cable = Cable(BoardLink(board))
    session = Session(cable, BUILD)
    model, stored = small.model(), contents(300)
    session.load(model)
    session.store(stored)
    for _ in range(2):
        cable.last.cut_after = after
        session.begin(TRAINING)
        assert finish(session).fed == 300
        cable.last.cut_after = None
    assert len(cable.opened) > 1
    assert board.runs == 2
    assert_holds(session, trained(model, stored, TRAINING, TRAINING))


def test_lost_power_is_noticed() -> None:
    for moment in ("before the run", "during the run"):
        board = ProtocolBoard(BUILD)
        cable = Cable(BoardLink(board))
        session = Session(cable, BUILD)
        session.load(small.model())
        session.store(contents(300))
        if moment == "during the run":
            session.begin(TRAINING)
            session.follow()
        board.power_on()
        cable.last.cut_after = 0
        with pytest.raises(DeviceFault, match=r"reads 0x|lost its power"):
            session.begin(TRAINING) if moment == "before the run" else finish(session)


def test_a_lost_store_is_noticed_though_the_model_is_there() -> None:
    board = ProtocolBoard(BUILD)
    cable = Cable(BoardLink(board))
    session = Session(cable, BUILD)
    session.load(small.model())
    session.store(contents(300))
    assert board.store is not None
    last = 299 << TRAINING.slot - 1
    board.store.words[0xFE][last] ^= 1
    cable.last.cut_after = 0
    with pytest.raises(DeviceFault, match=f"address {STORE_WORDS + last:#x} was written with"):
        session.begin(TRAINING)


@pytest.mark.parametrize("address", [STORE_WORDS + 17, SAMPLE_PALETTES + 3])
def test_what_reads_back_wrong_is_named(address: int) -> None:
    board = ProtocolBoard(BUILD)
    board.stuck_words[address] = 0x5A
    session = Session(lambda: BoardLink(board), BUILD)
    with pytest.raises(DeviceFault, match=rf"address {address:#010x} was written with .* and reads 0x0000005a"):
        session.store(contents(300))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
def test_an_upload_goes_on_where_it_was_cut(share: float) -> None:
    """Written and compared: what was acknowledged before is not sent again, but for the last pieces."""
    stored = contents(300)
    board = ProtocolBoard(BUILD)
    cable = Cable(BoardLink(board))
    session = Session(cable, BUILD)
    requests, told, execute = 2 * len(pieces(stored.words)), list[int](), board._execute

    def cut(operation: int, payload: bytes) -> tuple[int, bytes]:
        if len(board.executed) == int(share * requests) and len(cable.opened) == 1:
            cable.last.cut_after = 0
        return execute(operation, payload)

    board._execute = cut
    session.store(stored, lambda done, of: told.append(done))
    assert len(cable.opened) == 2
    assert requests < len(board.executed) <= requests + LOOKED_AT + 12  # a window of them, IDENTIFY, RUN_STATE, FLUSH
    assert told == sorted(told)
    session.load(small.model())
    session.begin(TRAINING)
    finish(session)
    assert_holds(session, trained(small.model(), stored, TRAINING))


def test_an_upload_to_a_board_that_lost_its_power_begins_anew() -> None:
    stored = contents(300)
    board = ProtocolBoard(BUILD)
    cable = Cable(BoardLink(board))
    session = Session(cable, BUILD)
    execute = board._execute

    def dark(operation: int, payload: bytes) -> tuple[int, bytes]:
        if len(board.executed) == 200 and len(cable.opened) == 1:
            board.power_on()
            cable.last.cut_after = 0
        return execute(operation, payload)

    board._execute = dark
    session.store(stored)
    assert len(cable.opened) == 2
    session.load(small.model())
    session.begin(TRAINING)
    finish(session)
    assert_holds(session, trained(small.model(), stored, TRAINING))


@pytest.mark.parametrize("seed", range(3))
def test_an_upload_over_a_faulty_link(seed: int) -> None:
    rng = np.random.default_rng(seed)
    board = ProtocolBoard(BUILD)
    cable = Cable(BoardLink(board), Faults(rng, 0.1, (*DAMAGE, "cut")))
    session = Session(cable, BUILD, timeout=QUICK, retries=60, reconnects=200)
    stored = contents(100)
    session.store(stored)
    assert len(cable.opened) > 1
    assert board.store is not None
    for number in range(100):
        features, label = board.store.sample(number, stored.slot)
        assert features == stored.features(np.array([number]))[0].tolist()
        assert label == stored.labels[number]


def test_a_store_that_fails_is_told_once_and_done_without() -> None:
    X, y = clusters(1, 400)
    simulated = ProtocolBoard(BUILD)
    simulated.store_states = [3]
    board = Accelerator(Session(lambda: BoardLink(simulated), BUILD))
    board.load(scaled_model(X))
    told = "memory of the board's store failed its test; see presparse doctor --device; all else works"
    with pytest.warns(StoreWarning, match=told):
        history = board.fit(X, y, epochs=1, lr=2**-5)
    assert history.source == "link"
    assert history.reason.startswith(
        "the memory of the board's store failed its test; see presparse doctor --device; 20"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", StoreWarning)
        board.fit(X, y, epochs=1, lr=2**-5)
    twice = reference_fit(scaled_model(X), X, y, [5], 0)
    order = permutation(400, epoch_seed(0, 1))
    twice.run(Samples.train(scaled_model(X).encode(X)[order], y[order], 5))
    twice.flush()
    simulated.executed.clear()
    with pytest.raises(StoreError, match="failed its test"):
        board.store(X, y)
    assert simulated.executed == []
    assert board.read_model().differences(twice.model()) == []


def test_a_store_that_is_tested_is_waited_for() -> None:
    X, y = clusters(1, 200)
    for states, source in (([1, 1, 1, 2], "store"), ([1, 1, 1, 3], "link")):
        simulated = ProtocolBoard(BUILD)
        simulated.store_states = states
        board = Accelerator(Session(lambda board=simulated: BoardLink(board), BUILD))
        board.load(scaled_model(X))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)
            assert board.fit(X, y, epochs=1, lr=2**-5).source == source
    simulated = ProtocolBoard(BUILD)
    simulated.store_states = [1]
    session = Session(lambda: BoardLink(simulated), BUILD)
    with pytest.raises(StoreError, match="the memory of the board's store is still being tested; see presparse doctor"):
        session.store(contents(4))
    simulated.store_states = [7]
    with pytest.raises(DeviceMismatch, match="says that its store is in state 7, which there is not"):
        session.identify()


@pytest.mark.parametrize("call", ["flush", "read", "feed", "begin", "store", "load", "stop"])
def test_every_use_stops_a_run_that_is_on(call: str) -> None:
    """What it has fed stays trained, and no more is fed."""
    board = ProtocolBoard(BUILD)
    session = Session(lambda: BoardLink(board), BUILD)
    model, stored = small.model(), contents(300)
    session.load(model)
    session.store(stored)
    session.begin(TRAINING)
    session.follow()
    samples = small.training(1, 5)
    arguments = {"feed": (samples,), "begin": (TRAINING,), "store": (stored,), "load": (small.model(1),)}
    state = getattr(session, call)(*arguments.get(call, ()))
    if call == "begin":
        assert board.runs == 2
        return
    fed = board.fed
    assert 0 < fed < 300
    assert board.to_feed is None
    reference = Reference(BUILD, model)
    reference.run(stored.samples(TRAINING)[:fed])
    reference.flush()
    if call == "feed":
        reference.run(samples)
        reference.flush()
        session.flush()
    if call == "load":
        reference = Reference(BUILD, small.model(1))
    if call == "stop":
        assert state == RunState(running=False, fed=fed, runs=1)
    assert_holds(session, reference)


def test_a_run_of_an_earlier_session_is_stopped() -> None:
    board = ProtocolBoard(BUILD)
    first = Session(lambda: BoardLink(board), BUILD)
    first.load(small.model())
    first.store(contents(300))
    first.begin(TRAINING)
    first.close()
    second = Session(lambda: BoardLink(board), BUILD)
    assert board.to_feed is None
    assert second.flush().shape == (0, 4)
    assert second.stop() == RunState(running=False, fed=board.fed, runs=1)


def test_a_run_that_stands_still_is_an_error_in_time() -> None:
    board = ProtocolBoard(BUILD)
    session = Session(lambda: BoardLink(board), BUILD, timeout=QUICK)
    session.load(small.model())
    session.store(contents(300))
    session.begin(TRAINING)
    session.follow()
    board.fed_per_frame = 0
    with pytest.raises(DeviceFault, match=r"the board's run stands still after \d+ of 300 samples"):
        finish(session)
    with pytest.raises(DeviceFault, match="the board's run does not stop"):
        session.flush()
    board.mute = True
    with pytest.raises(LinkTimeout):
        session.flush()


def test_a_run_of_another_program_is_noticed() -> None:
    board = ProtocolBoard(BUILD)
    session = Session(lambda: BoardLink(board), BUILD)
    session.load(small.model())
    session.store(contents(300))
    session.begin(TRAINING)
    board.runs += 1
    with pytest.raises(DeviceFault, match=r"has begun 2 runs, and this host saw 0 and began one"):
        finish(session)


def test_bad_runs_are_refused() -> None:
    session = Session(lambda: BoardLink(ProtocolBoard(BUILD)), BUILD)
    session.load(small.model())
    with pytest.raises(DeviceFault, match="refused RUN: BAD_RUN; the board's store was built for other samples"):
        session.begin(StoredRun(kind=SampleKind.TRAIN, rate=4, slot=TRAINING.slot, count=4801))
    without = Session(lambda: BoardLink(ProtocolBoard(small.BUILD)), small.BUILD)
    for call in (lambda: without.begin(TRAINING), lambda: without.store(contents(3)), without.stop):
        with pytest.raises(BuildError, match="has no sample store; build the board with store_samples"):
            call()


# Ctrl-C


class InterruptedLink(BoardLink):
    """Ctrl-C during a read, once."""

    def __init__(self, board: ProtocolBoard) -> None:
        super().__init__(board)
        self.reads = -1

    def read(self, limit: int, timeout: float) -> bytes:
        self.reads -= 1
        if self.reads == 0:
            raise KeyboardInterrupt
        return super().read(limit, timeout)


@pytest.mark.parametrize("reads", [1, 2, 3, 4, 5, 6, 9, 14])
def test_interrupted_fit_keeps_what_was_trained(reads: int) -> None:
    X, y = clusters(1, 500)
    model = scaled_model(X)
    simulated = ProtocolBoard(BUILD)
    simulated.fed_per_frame = 20
    link = InterruptedLink(simulated)
    board = Accelerator(Session(lambda: link, BUILD))
    board.load(model)

    def interrupt(progress: Progress) -> None:
        link.reads = reads if progress.epoch == 2 and link.reads < 0 else link.reads

    history = board.fit(X, y, epochs=5, lr=2**-4, random_state=2, progress=interrupt, keep_on_interrupt=True)
    assert history.interrupted
    assert history.source == "store"
    assert 2 <= len(history.epochs) < 5
    assert history.samples == simulated.accepted == board.counters()["trained"]
    reference = Reference(BUILD, model)
    for number, epoch in enumerate(history.epochs, start=1):
        order = permutation(500, epoch_seed(2, number))[: epoch.samples]
        reference.run(Samples.train(model.encode(X)[order], y[order], 4))
        reference.flush()
    assert board.read_model().differences(reference.model()) == []
    np.testing.assert_array_equal(board.predict(X), reference.scores(model.encode(X))[:, :3].argmax(axis=1))


@pytest.mark.parametrize("open_one", [on_board, on_emulator])
def test_ctrl_c_in_a_callback(open_one: Callable[[], Accelerator]) -> None:
    X, y = clusters(1, 500)
    board = open_one()
    board.load(model := scaled_model(X))

    def interrupt(progress: Progress) -> None:
        if progress.epoch == 1 and progress.samples >= 100:
            os.kill(os.getpid(), signal.SIGINT)

    history = board.fit(X, y, epochs=3, lr=2**-4, random_state=4, progress=interrupt, keep_on_interrupt=True)
    assert history.interrupted
    (epoch,) = history.epochs
    assert 100 <= epoch.samples < 500
    reference = Reference(BUILD, model)
    order = permutation(500, epoch_seed(4, 1))[: epoch.samples]
    reference.run(Samples.train(model.encode(X)[order], y[order], 4))
    reference.flush()
    assert board.read_model().differences(reference.model()) == []
    assert board.fit(epochs=1, lr=2**-5).epochs[0].samples == 500


@pytest.mark.parametrize("open_one", [on_board, on_emulator])
def test_failed_callback_leaves_the_board_usable(open_one: Callable[[], Accelerator]) -> None:
    X, y = clusters(1, 500)
    board = open_one()

    def fail(progress: Progress) -> None:
        raise RuntimeError("the callback's own error")

    with pytest.raises(RuntimeError, match="the callback's own error"):
        board.fit(X, y, epochs=1, lr=2**-5, progress=fail)
    assert board.predict(X).shape == (500,)
    assert 0 < board.counters()["trained"] < 500
    assert board.score() == board.score(X, y)


@pytest.mark.parametrize("count", range(9, 46, 9))
def test_another_session_comes_while_a_run_ends(count: int) -> None:
    """Whichever of its first questions the run ends between, or is stopped behind: it counts all that was fed."""
    board = ProtocolBoard(BUILD)
    board.fed_per_frame = 9
    first = Session(lambda: BoardLink(board), BUILD)
    model, stored = small.model(), contents(300)
    first.load(model)
    first.store(stored)
    run = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=stored.slot, count=count, seed=5)
    first.begin(run)
    second = Session(lambda: BoardLink(board), BUILD)
    second.flush()
    assert second.identify().accepted == board.fed
    reference = Reference(BUILD, model)
    reference.run(stored.samples(run)[: board.fed])
    reference.flush()
    assert_holds(second, reference)


def test_another_session_takes_over_in_the_middle_of_a_run() -> None:
    """It stops the run, and reckons with what was fed until then."""
    board = ProtocolBoard(BUILD)
    board.fed_per_frame = 9
    first = Session(lambda: BoardLink(board), BUILD)
    model, stored = small.model(), contents(300)
    first.load(model)
    first.store(stored)
    first.begin(TRAINING)
    second = Session(lambda: BoardLink(board), BUILD)
    fed = board.fed
    assert 0 < fed < 300
    assert second.identify().accepted == fed
    second.feed(small.training(3, 50))
    second.flush()
    reference = Reference(BUILD, model)
    for samples in (stored.samples(TRAINING)[:fed], small.training(3, 50)):
        reference.run(samples)
        reference.flush()
    assert_holds(second, reference)


def test_a_run_whose_request_stays_unanswered_is_reckoned_with() -> None:
    """RUN is executed, its answer never comes, and the caller gets an error: the session goes on all the same."""
    board = ProtocolBoard(BUILD)
    board.fed_per_frame = 9
    session = Session(lambda: BoardLink(board), BUILD, timeout=QUICK, retries=0)
    model, stored = small.model(), contents(300)
    session.load(model)
    session.store(stored)

    def mute_from_run_on(operation: int, payload: bytes) -> tuple[int, bytes]:
        board.mute = operation == RUN
        return execute(operation, payload)

    execute, board._execute = board._execute, mute_from_run_on
    with pytest.raises(LinkTimeout, match="no answer to RUN"):
        session.begin(TRAINING)
    board._execute, board.mute = execute, False
    accepted = session.identify().accepted
    assert 0 < accepted == board.fed < 300
    reference = Reference(BUILD, model)
    reference.run(stored.samples(TRAINING)[:accepted])
    reference.flush()
    assert_holds(session, reference)


def test_storing_again_writes_again_and_a_second_fit_does_not() -> None:
    """`store` is also what mends a store that reads back wrong; a fit of the same samples has no reason to write."""
    X, y = clusters(1, 200)
    board = on_emulator()
    board.load(scaled_model(X))
    written: list[int] = []
    device = board._device
    store = device.store

    def counting(contents: Contents, told: Callable[[int, int], None]) -> None:
        written.append(len(contents))
        store(contents, told)

    device.store = counting  # pyright: ignore[reportAttributeAccessIssue]
    board.fit(X, y, epochs=1, lr=2**-5)
    board.fit(X, y, epochs=1, lr=2**-5)
    assert written == [200]
    board.store(X, y)
    board.store(X, y)
    assert written == [200, 200, 200]


def test_a_model_that_is_read_back_has_no_history() -> None:
    X, y = clusters(1, 100)
    board = on_emulator()
    board.load(replace(scaled_model(X), history=History(reason="another training")))
    board.fit(X, y, epochs=1, lr=2**-5)
    assert board.read_model().history is None
