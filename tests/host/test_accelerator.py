"""The user's API on a board behind a link and on the emulator: the same numbers from both, in real units."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import presparse as ps
from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.permutation import epoch_seed, permutation
from presparse.contract.samples import Samples
from presparse.device import session as session_module
from presparse.device.session import Session
from presparse.errors import (
    ArgumentError,
    BuildError,
    FeatureError,
    LinkClosed,
    ModelError,
    PatternError,
    PresparseError,
    RateError,
)
from presparse.features.inputs import Inputs
from presparse.fitting.holding_out import hold_out
from presparse.history import History, Progress
from presparse.model import Model
from presparse.reference.emulator import Emulator
from presparse.reference.pytorch import Reference
from presparse.train import QuantizedNetwork
from tests.host import small
from tests.host.device.cable import Cable
from tests.host.device.protocol_board import BoardLink, ProtocolBoard


def on_board(build: Build = small.BUILD) -> Accelerator:
    board = ProtocolBoard(build)
    return Accelerator(Session(lambda: BoardLink(board), build))


def on_emulator(build: Build = small.BUILD) -> Accelerator:
    return Accelerator(Emulator(build))


def scaled_model(X: NDArray[np.float64], seed: int = 0) -> Model:
    return Model.initial(small.NETWORK, random_state=seed, inputs=Inputs.fit(X))


@pytest.fixture(params=[on_board, on_emulator], ids=["board", "emulator"])
def board(request: pytest.FixtureRequest) -> Accelerator:
    return request.param()


def reference_fit(
    model: Model, X: NDArray[np.float64], y: NDArray[np.int64], exponents: list[int], seed: int | None
) -> Reference:
    """The documented order: a permutation per epoch, a flush after each."""
    reference = Reference(small.BUILD, model)
    features = model.encode(X)
    for epoch, exponent in enumerate(exponents, start=1):
        order = np.arange(len(y)) if seed is None else permutation(len(y), epoch_seed(seed, epoch))
        reference.run(Samples.train(features[order], y[order], exponent))
        reference.flush()
    return reference


def test_predictions_are_the_references(board: Accelerator) -> None:
    X, y = small.clusters(1, 500)
    model = scaled_model(X)
    board.load(model)
    scores = Reference(small.BUILD, model).scores(model.encode(X))[:, :3]
    np.testing.assert_array_equal(board.decision_function(X), scores / 256)
    np.testing.assert_array_equal(board.predict(X), scores.argmax(axis=1))
    assert board.predict(X).dtype == np.int64
    assert board.score(X, y) == (scores.argmax(axis=1) == y).mean()
    np.testing.assert_array_equal(board.predict(X[:1]), scores[:1].argmax(axis=1))


@pytest.mark.slow
def test_a_fresh_training_takes_a_pattern(tmp_path: Path) -> None:
    """By default windows, where the network has an image; its features go where these see them."""
    X, y = small.clusters(1, 60)
    image = {"junction": 1, "shape": (1, 7), "window": (1, 4)}
    build = Build(network=Network(**{**small.NETWORK.model_dump(), "image": [image]}))
    own = [np.sort(left, axis=1)[:, ::-1] for left in Model.initial(small.NETWORK, pattern="free", random_state=3).left]
    for pattern in (None, "windows", "one seed", own):
        with on_emulator(build) as board:
            board.fit(X, y, epochs=1, lr=2**-5, pattern=pattern, random_state=2)
            learned = board.read_model()
        wanted = Model.initial(build.network, pattern=pattern, random_state=2, inputs=Inputs.fit(X))
        assert learned.inputs.equals(wanted.inputs)
        assert learned.inputs.places.tolist() == ([0, 1, 2, 3, 4, 5, 6] if pattern else build.network.places.tolist())
        for left, right in zip(learned.left, wanted.left, strict=True):
            np.testing.assert_array_equal(left, right)
    with on_emulator(build) as board:
        board.fit(X, y, epochs=1, checkpoint=tmp_path / "kept")
        with pytest.raises(ArgumentError, match="pattern is for a fresh model, and one is loaded, which has its own"):
            board.fit(X, y, epochs=1, pattern="free")
    with on_emulator(build) as board, pytest.raises(ModelError, match="another training"):
        board.fit(X, y, epochs=1, pattern="free", checkpoint=tmp_path / "kept")
    with on_emulator() as board, pytest.raises(PatternError, match="network small has no images"):
        board.fit(X, y, epochs=1, pattern="windows")


def test_probabilities_of_sigmoid_outputs(board: Accelerator) -> None:
    X, y = small.clusters(1, 300)
    board.fit(X, y, epochs=3, lr=2**-4)
    p = board.predict_proba(X)
    scores = board.decision_function(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p * scores.sum(axis=1, keepdims=True), scores)


def test_probabilities_of_identity_outputs() -> None:
    network = Network(**{**small.NETWORK.model_dump(), "activations": ("relu", "identity")})
    with on_emulator(Build(network=network)) as board:
        X, y = small.clusters(1, 300)
        board.fit(X, y, epochs=1, lr=2**-4)
        p, scores = board.predict_proba(X), board.decision_function(X)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        np.testing.assert_allclose(np.log(p[:, 1] / p[:, 0]), scores[:, 1] - scores[:, 0])


def test_probabilities_when_every_output_is_zero() -> None:
    with on_emulator() as board:
        weight = small.NETWORK.formats.weight
        start = Model.initial(small.NETWORK)
        board.load(
            Model(
                network=small.NETWORK,
                left=start.left,
                weights=(np.full_like(start.weights[0], weight.max), np.full_like(start.weights[1], weight.min)),
                biases=start.biases,
                inputs=start.inputs,
            )
        )
        assert not board.decision_function(np.ones((2, 7))).any()
        np.testing.assert_array_equal(board.predict_proba(np.ones((2, 7))), np.full((2, 3), 1 / 3))


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [True, False])
def test_fit_equals_the_reference_in_every_bit(board: Accelerator, shuffle: bool) -> None:
    """Whatever the validation and however progress cuts the samples."""
    X, y = small.clusters(1, 400)
    held_out = small.clusters(2, 150)
    model = scaled_model(X, seed=5)
    board.load(model)
    reports: list[Progress] = []
    history = board.fit(
        X,
        y,
        epochs=3,
        lr=[2**-3, 2**-4, 2**-4],
        shuffle=shuffle,
        random_state=11,
        validation=held_out,
        progress=reports.append,
    )
    reference = reference_fit(model, X, y, [3, 4, 4], 11 if shuffle else None)
    trained = board.read_model()
    assert trained.differences(reference.model()) == []
    assert trained.inputs.equals(model.inputs)

    assert not history.interrupted
    assert history.samples == 1200
    assert [e.lr for e in history.epochs] == [2**-3, 2**-4, 2**-4]
    assert sum(round(e.accuracy * 400) for e in history.epochs) == reference.counters["correct"]
    classes = reference.scores(model.encode(held_out[0]))[:, :3].argmax(axis=1)
    assert history.epochs[-1].validation == (classes == held_out[1]).mean()
    assert (classes == held_out[1]).mean() > 0.9
    ends = [r for r in reports if r.samples == 400]
    assert [(r.epoch, r.epochs, r.of, r.validation) for r in ends] == [
        (i, 3, 400, e.validation) for i, e in enumerate(history.epochs, start=1)
    ]
    assert all(r.samples_per_second > 0 and 0 <= r.accuracy <= 1 for r in reports)
    assert len(reports) > 3
    plain = on_emulator()
    plain.load(model)
    plain.fit(X, y, epochs=3, lr=[2**-3, 2**-4, 2**-4], shuffle=shuffle, random_state=11)
    assert plain.read_model().differences(trained) == []


@pytest.mark.slow
def test_fit_without_a_model_starts_one(board: Accelerator) -> None:
    X, y = small.clusters(1, 300)
    history = board.fit(X, y, epochs=4, lr=2**-3, random_state=3)
    reference = reference_fit(scaled_model(X, seed=3), X, y, [3] * 4, 3)
    assert board.read_model().differences(reference.model()) == []
    assert history.epochs[-1].validation is None
    assert board.score(*small.clusters(2, 200)) > 0.9


def test_partial_fit_keeps_the_order(board: Accelerator) -> None:
    X, y = small.clusters(1, 100)
    model = scaled_model(X)
    board.load(model)
    reference = Reference(small.BUILD, model)
    for part in (slice(0, 60), slice(60, 61), slice(61, 100)):
        accuracy = board.partial_fit(X[part], y[part], lr=2**-5)
        before = reference.counters["correct"]
        reference.run(Samples.train(model.encode(X[part]), y[part], 5))
        reference.flush()
        assert accuracy == (reference.counters["correct"] - before) / len(y[part])
        np.testing.assert_array_equal(board.predict(X), reference.scores(model.encode(X))[:, :3].argmax(axis=1))
    assert board.read_model().differences(reference.model()) == []


def test_counters_count_and_clear(board: Accelerator) -> None:
    X, y = small.clusters(1, 50)
    board.load(scaled_model(X))
    board.predict(X)
    board.score(X, y)
    board.partial_fit(X, y)
    counters = board.counters()
    assert [counters[c] for c in ("predicted", "evaluated", "trained")] == [50, 50, 50]
    board.clear_counters()
    assert not any(v for c, v in board.counters().items() if not c.startswith("frames_"))
    assert board.identify().contract_hash == small.BUILD.hash
    assert board.identify().accepted == 150


def test_adopt_a_trained_board() -> None:
    X, y = small.clusters(1, 200)
    simulated = ProtocolBoard(small.BUILD)
    with Accelerator(Session(lambda: BoardLink(simulated), small.BUILD)) as first:
        first.load(scaled_model(X))
        first.fit(X, y, epochs=1, lr=2**-5)
        trained = first.read_model()
    second = Accelerator(Session(lambda: BoardLink(simulated), small.BUILD))
    with pytest.raises(ModelError, match=r"load\(model\), or adopt\(model\)"):
        second.read_model()
    second.adopt(scaled_model(X))
    assert second.read_model().differences(trained) == []


def test_a_session_may_begin_with_any_number() -> None:
    """Also with those of the session before, whose answers the board still remembers."""
    X, _ = small.clusters(1, 20)
    simulated = ProtocolBoard(small.BUILD)
    with Accelerator(Session(lambda: BoardLink(simulated), small.BUILD)) as first:
        first.load(scaled_model(X))
        classes = first.predict(X)
    for beyond in range(-8, 8):
        start = (simulated.expected + beyond) % 256
        with Accelerator(Session(lambda: BoardLink(simulated), small.BUILD, first_sequence=start)) as next_one:
            next_one.adopt(scaled_model(X))
            assert np.array_equal(next_one.predict(X), classes), beyond


def test_context_manager_closes() -> None:
    with on_board() as board:
        pass
    with pytest.raises(LinkClosed, match="was closed"):
        board.counters()
    board.close()


X, Y = small.clusters(1, 20)
WITH_NAN, WITH_INFINITY = X.copy(), X.copy()
WITH_NAN[3, 2] = np.nan
WITH_INFINITY[4, 1] = -np.inf


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda b: b.predict(WITH_NAN), FeatureError, "sample 3, feature 2 is nan"),
        (lambda b: b.decision_function(WITH_INFINITY), FeatureError, "sample 4, feature 1 is -inf"),
        (lambda b: b.predict(X[:, :6]), FeatureError, r"shape \(samples, 7\), and has \(20, 6\)"),
        (lambda b: b.predict(X[0]), FeatureError, r"pass X\[None, :\]"),
        (lambda b: b.predict(X[:0]), FeatureError, "at least one sample"),
        (lambda b: b.predict(X.astype(str)), FeatureError, "real numbers"),
        (lambda b: b.predict([[1, 2], [3]]), FeatureError, "unequal lengths"),
        (lambda b: b.fit(X, Y[:-1]), FeatureError, "one label per sample"),
        (lambda b: b.fit(X, Y + 1), FeatureError, "class numbers 0 to 2, and one label is 3"),
        (lambda b: b.fit(X, Y - 1), FeatureError, "class numbers 0 to 2, and one label is -1"),
        (lambda b: b.fit(X, Y + 0.5), FeatureError, "labels, whole numbers or texts, and one is"),
        (lambda b: b.fit(X, Y.astype(str)), FeatureError, "class numbers 0 to 2"),
        (lambda b: b.score(X, Y * np.nan), FeatureError, "labels, whole numbers or texts, and one is nan"),
        (lambda b: b.fit(X, Y, validation=(X, Y[:3])), FeatureError, "one label per sample"),
        (lambda b: b.fit(X, Y, validation=(WITH_NAN, Y)), FeatureError, "sample 3, feature 2 is nan"),
        (lambda b: b.fit(X, Y, epochs=0), ArgumentError, "epochs must be a whole number, at least 1, and is 0"),
        (lambda b: b.fit(X, Y, random_state=-1), ArgumentError, "a whole number, 0 to 4294967295, and is -1"),
        (lambda b: b.fit(X, Y, random_state=2**32), ArgumentError, "and is 4294967296"),
        (lambda b: b.fit(X), ArgumentError, "X and y come together"),
        (lambda b: b.fit(), BuildError, "has no sample store; build the board with store_samples"),
        (lambda b: b.score(), BuildError, "has no sample store"),
        (lambda b: b.store(X, Y), BuildError, "has no sample store"),
        (lambda b: b.fit(X, Y, validation=20), ArgumentError, r"how many of them \(1 to 19\), and is 20"),
        (
            lambda b: b.fit(X, Y, validation=0.01),
            ArgumentError,
            "holding out 0.01 of 20 samples leaves none to measure",
        ),
        (lambda b: b.fit(X, Y, validation=1.5), ArgumentError, "and is 1.5"),
        (lambda b: b.fit(X, Y, validation=True), ArgumentError, "and is True"),
        (lambda b: b.fit(X, Y, epochs=1.5), ArgumentError, "epochs must be a whole number"),
        (
            lambda b: b.fit(X, Y, lr=0.01),
            RateError,
            r"2\*\*-6 = 0.015625 and 2\*\*-7 = 0.0078125 are allowed",
        ),
        (lambda b: b.fit(X, Y, lr=1.0), RateError, r"beside it 2\*\*-2 = 0.25 is allowed"),
        (lambda b: b.fit(X, Y, lr=2**-12), RateError, r"beside it 2\*\*-8 = 0.00390625 is allowed"),
        (lambda b: b.fit(X, Y, lr=-1), RateError, "and not with -1.0"),
        (lambda b: b.fit(X, Y, lr=float("nan")), RateError, "and not with nan"),
        (lambda b: b.fit(X, Y, epochs=1, lr="fast"), RateError, r"lr must be 'auto', a number .*, and is 'fast'"),
        (lambda b: b.fit(X, Y, lr=None), RateError, "is None"),
        (lambda b: b.fit(X, Y, epochs=2, lr=[0.25]), RateError, r"one per epoch \(2\), and has 1"),
        (lambda b: b.fit(X, Y, epochs=2, lr=[0.25, 0.3]), RateError, "and not with 0.3"),
        (lambda b: b.fit(X, Y, lr=np.array(0.3)), RateError, "and not with 0.3"),
        (lambda b: b.fit(X, Y, lr=np.array("x")), RateError, r"lr must be 'auto', a number .*, and is .*'x'"),
        (lambda b: b.fit(X, Y, patience=0), ArgumentError, "patience must be a whole number, at least 1, and is 0"),
        (lambda b: b.fit(X, Y, class_weight="even"), ArgumentError, "must be None or 'balanced', and is 'even'"),
        (lambda b: b.fit(X, Y, progress=5), ArgumentError, "progress must be a function or None, and is 5"),
        (lambda b: b.fit(X, Y, shuffle="no"), ArgumentError, "shuffle must be True or False, and is 'no'"),
        (lambda b: b.fit(X, Y, keep_on_interrupt=None), ArgumentError, "keep_on_interrupt must be True or False"),
        (lambda b: b.fit(X, Y, validation=(X,)), ArgumentError, r"validation must be \(X, y\), a share"),
        (lambda b: b.fit(X, Y, validation=[X, Y]), ArgumentError, r"validation must be \(X, y\), a share"),
        (lambda b: b.fit(X, Y, validation="some"), ArgumentError, "and is 'some'"),
        (lambda b: b.partial_fit(X, Y, lr=0.3), RateError, "and not with 0.3"),
        (lambda b: b.partial_fit(X[:, 1:], Y), FeatureError, "shape"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    call: Callable[[Accelerator], object], error: type[PresparseError], message: str
) -> None:
    simulated = ProtocolBoard(small.BUILD)
    board = Accelerator(Session(lambda: BoardLink(simulated), small.BUILD))
    board.load(scaled_model(X))
    simulated.executed.clear()
    with pytest.raises(error, match=message):
        call(board)
    assert simulated.executed == []


@pytest.mark.parametrize("call", [lambda b: b.predict(X), lambda b: b.partial_fit(X, Y), lambda b: b.score(X, Y)])
def test_no_model(board: Accelerator, call: Callable[[Accelerator], object]) -> None:
    with pytest.raises(ModelError, match="no model is loaded"):
        call(board)


def test_model_of_another_network(board: Accelerator) -> None:
    other = Model.initial(Network(**{**small.NETWORK.model_dump(), "name": "other", "features": 6}))
    for call in (board.load, board.adopt):
        with pytest.raises(ModelError, match="of network other"):
            call(other)


@pytest.mark.parametrize("given", ["m.safetensors", None, 5, small.NETWORK])
def test_what_is_no_model(board: Accelerator, given: object) -> None:
    for call in (board.load, board.adopt):
        with pytest.raises(ModelError, match=r"read a model file with presparse\.Model\.load first"):
            call(given)  # pyright: ignore[reportArgumentType]


def test_builds_that_only_infer() -> None:
    build = Build(network=small.NETWORK, mode="infer")
    with on_board(build) as board:
        board.load(scaled_model(X))
        with pytest.raises(BuildError, match="only infers"):
            board.fit(X, Y, epochs=1, lr=2**-5)
        assert board.predict(X).shape == (20,)


def test_numpy_rates_and_labels_of_any_integer_type(board: Accelerator) -> None:
    board.fit(X.astype(np.float32), Y.astype(np.uint8), epochs=2, lr=np.array([0.25, 0.125], dtype=np.float32))
    board.partial_fit(X.tolist(), Y.tolist(), lr=np.float32(0.25))


class InterruptedLink(BoardLink):
    """Ctrl-C during a read, once."""

    reads = -1

    def read(self, limit: int, timeout: float) -> bytes:
        self.reads -= 1
        if self.reads == 0:
            raise KeyboardInterrupt
        return super().read(limit, timeout)


@pytest.mark.slow
@pytest.mark.parametrize("reads", [1, 2, 3, 4, 5, 9, 20])
def test_interrupted_fit_keeps_what_was_trained(reads: int) -> None:
    X, y = small.clusters(1, 500)
    model = scaled_model(X)
    simulated = ProtocolBoard(small.BUILD)
    link = InterruptedLink(simulated)
    board = Accelerator(Session(lambda: link, small.BUILD))
    board.load(model)

    def interrupt(progress: Progress) -> None:
        link.reads = reads if progress.epoch == 2 and link.reads < 0 else link.reads

    history = board.fit(X, y, epochs=5, lr=2**-4, random_state=2, progress=interrupt, keep_on_interrupt=True)
    assert history.interrupted
    assert 2 <= len(history.epochs) <= 5
    assert history.samples == simulated.accepted == board.counters()["trained"]
    trained_in_last = history.epochs[-1].samples

    reference = Reference(small.BUILD, model)
    for number, epoch in enumerate(history.epochs, start=1):
        order = permutation(500, epoch_seed(2, number))[: epoch.samples]
        reference.run(Samples.train(model.encode(X)[order], y[order], 4))
        reference.flush()
    assert trained_in_last == history.samples - 500 * (len(history.epochs) - 1)
    assert board.read_model().differences(reference.model()) == []
    np.testing.assert_array_equal(board.predict(X), reference.scores(model.encode(X))[:, :3].argmax(axis=1))


def test_ctrl_c_while_the_emulator_trains() -> None:
    """A real signal: it is let through between two samples, and the result is that of those trained."""
    X, y = small.clusters(1, 4000)
    model = scaled_model(X)
    board = on_emulator()
    board.load(model)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    history: History = board.fit(X, y, epochs=20, lr=2**-4, shuffle=False, keep_on_interrupt=True)
    timer.join()
    assert history.interrupted
    reference = Reference(small.BUILD, model)
    for epoch in history.epochs:
        reference.run(Samples.train(model.encode(X)[: epoch.samples], y[: epoch.samples], 4))
        reference.flush()
    assert history.samples > 0
    assert board.read_model().differences(reference.model()) == []


def test_failed_callback_leaves_the_board_usable(board: Accelerator) -> None:
    X, y = small.clusters(1, 300)
    board.load(scaled_model(X))

    def fail(progress: Progress) -> None:
        raise RuntimeError("the callback's own error")

    with pytest.raises(RuntimeError, match="the callback's own error"):
        board.fit(X, y, epochs=1, lr=2**-5, progress=fail)
    assert board.predict(X).shape == (300,)
    assert 0 < board.counters()["trained"] <= 300


def test_predictions_survive_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)
    X, _ = small.clusters(1, 500)
    simulated = ProtocolBoard(small.BUILD)
    cable = Cable(BoardLink(simulated))
    board = Accelerator(Session(cable, small.BUILD))
    model = scaled_model(X)
    board.load(model)
    cable.last.cut_after = 7000
    expected = Reference(small.BUILD, model).scores(model.encode(X))[:, :3].argmax(axis=1)
    np.testing.assert_array_equal(board.predict(X), expected)
    assert len(cable.opened) == 2


def test_a_model_that_takes_some_columns_of_X(board: Accelerator) -> None:
    """On the board, in PyTorch and trained on: the same columns of a wider X everywhere, and read back."""
    X, y = small.clusters(1, 200)
    columns = np.array([11, 3, 0, 5, 9, 1, 7])
    wide = np.random.default_rng(0).normal(size=(len(X), 12))
    wide[:, columns] = X
    narrow = scaled_model(X)
    model = replace(narrow, inputs=replace(narrow.inputs, columns=columns, width=12, seen=np.zeros((3, 0))))
    board.load(model)
    scores = QuantizedNetwork.from_model(model).scores(wide)[:, :3]
    np.testing.assert_array_equal(board.decision_function(wide), small.NETWORK.formats.output.decode(scores))
    board.fit(wide, y, epochs=1, lr=2**-4)
    trained = board.read_model()
    np.testing.assert_array_equal(trained.inputs.columns, columns)
    other = on_emulator()
    other.load(narrow)
    other.fit(X, y, epochs=1, lr=2**-4)
    assert replace(trained, inputs=narrow.inputs).differences(other.read_model()) == []
    with pytest.raises(FeatureError, match=r"X must have shape \(samples, 12\), and has \(200, 7\)"):
        board.predict(X)


@pytest.mark.parametrize("way", ["Ctrl-C", "stop", "error"])
@pytest.mark.parametrize("open_one", [on_emulator, lambda: on_board(small.BUILD)], ids=["emulator", "board"])
def test_a_callback_ends_a_training_with_a_whole_board(open_one: Callable[[], Accelerator], way: str) -> None:
    """In the middle of the second epoch. What was trained is that of the reference, and nothing is in flight."""
    X, y = small.clusters(1, 500)
    model = scaled_model(X)
    seen: list[Progress] = []

    def progress(told: Progress) -> bool:
        seen.append(told)
        if told.epoch == 2 and way != "stop":
            raise RuntimeError("mine") if way == "error" else KeyboardInterrupt
        return told.epoch == 2

    with open_one() as board:
        board.load(model)
        if way == "stop":
            history = board.fit(X, y, epochs=9, lr=2**-4, random_state=2, progress=progress)
            assert (history.stopped, history.interrupted) == (True, False)
            assert len(history.epochs) == 2
        else:
            with pytest.raises(RuntimeError if way == "error" else KeyboardInterrupt):
                board.fit(X, y, epochs=9, lr=2**-4, random_state=2, progress=progress)
        assert seen[-1].epoch == 2
        samples = board.counters()["trained"] - 500
        assert 0 < samples <= 500
        reference = Reference(small.BUILD, model)
        for number, count in ((1, 500), (2, samples)):
            order = permutation(500, epoch_seed(2, number))[:count]
            reference.run(Samples.train(model.encode(X)[order], y[order], 4))
            reference.flush()
        assert board.read_model().differences(reference.model()) == []


@pytest.mark.slow
@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("open_one", [on_emulator, lambda: on_board(small.BUILD)], ids=["emulator", "board"])
def test_a_training_goes_on_from_its_checkpoint(
    open_one: Callable[[], Accelerator], loaded: bool, tmp_path: Path
) -> None:
    """In the middle of the third epoch it ends: another board goes on from the model after the second."""
    X, y = small.clusters(1, 300)
    path = tmp_path / "checkpoint"

    def trained(checkpoint: Path | None, progress: Callable[[Progress], bool] | None = None) -> tuple[Model, History]:
        with open_one() as board:
            if loaded:
                board.load(scaled_model(X, seed=7))
            history = board.fit(
                X, y, epochs=4, lr=2**-4, random_state=2, validation=0.2, progress=progress, checkpoint=checkpoint
            )
            return board.read_model(), history

    whole, _ = trained(None)
    _, stopped = trained(path, lambda told: told.epoch == 3)
    assert len(stopped.epochs) == 3
    model, history = trained(path)
    assert model.differences(whole) == []
    assert [epoch.samples for epoch in history.epochs] == [240] * 4
    model, history = trained(path)  # nothing is left
    assert model.differences(whole) == []
    assert len(history.epochs) == 4
    with on_emulator() as board:
        if loaded:
            board.load(scaled_model(X, seed=8))
        with pytest.raises(ModelError, match="another training"):
            board.fit(X, y, epochs=5 - loaded, lr=2**-4, random_state=2, validation=0.2, checkpoint=path)
        if not loaded:
            with pytest.raises(ModelError, match=r"another training \(scale 'auto' there, 'overall' here\)"):
                board.fit(X, y, epochs=4, lr=2**-4, random_state=2, validation=0.2, scale="overall", checkpoint=path)
        with pytest.raises(ArgumentError, match="a checkpoint needs X and y"):
            board.fit(checkpoint=path)


@pytest.mark.parametrize("device", ["emulator", "emulator:c"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_epochs_in_several_calls_are_those_of_one(device: str, shuffle: bool, tmp_path: Path) -> None:
    """Each goes on with a model that was saved after the one before, on a device that knows nothing of it."""
    X, y = small.clusters(1, 120)
    rates = [2**-3, 2**-3, 2**-4, 2**-4, 2**-4, 2**-5]

    def trained(last: int, first: int, model: Model | None) -> tuple[Model, History]:
        reports: list[Progress] = []
        with ps.open(device, small.BUILD) as board:
            if model is not None:
                board.load(model)
            history = board.fit(
                X, y, lr=rates[:last], first_epoch=first, shuffle=shuffle, random_state=4, validation=0.2,
                class_weight="balanced", progress=reports.append,
            )  # fmt: skip
            assert [told.epoch for told in reports if told.ended] == list(range(first, last + 1))
            assert {told.epochs for told in reports} == {last}
            return board.read_model(), history

    whole, history = trained(6, 1, None)
    model, epochs = None, []
    for first, last in ((1, 2), (3, 5), (6, 6)):
        model, own = trained(last, first, model)
        model.save(tmp_path / "model.safetensors")
        model, epochs = Model.load(tmp_path / "model.safetensors"), [*epochs, *own.epochs]
    assert model is not None
    assert model.differences(whole) == []
    told = [[(each.lr, each.samples, each.accuracy, each.validation) for each in of] for of in (epochs, history.epochs)]
    assert told[0] == told[1]


def test_a_first_epoch_and_a_checkpoint(tmp_path: Path) -> None:
    X, y = small.clusters(1, 120)
    start = scaled_model(X, seed=7)

    def trained(**more: Any) -> tuple[Model, History]:
        with on_emulator() as board:
            board.load(start)
            history = board.fit(X, y, lr=[2**-4] * 5, first_epoch=3, random_state=2, **more)
            return board.read_model(), history

    path = tmp_path / "checkpoint"
    whole, history = trained()
    assert len(history.epochs) == 3
    trained(checkpoint=path, progress=lambda told: told.epoch == 4)
    model, history = trained(checkpoint=path)
    assert model.differences(whole) == []
    assert len(history.epochs) == 3
    with on_emulator() as board:
        board.load(start)
        with pytest.raises(ModelError, match=r"another training \(first epoch 3 there, 2 here\)"):
            board.fit(X, y, lr=[2**-4] * 5, first_epoch=2, random_state=2, checkpoint=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first_epoch": 0, "lr": 0.25}, "first_epoch must be a whole number, at least 1, and is 0"),
        ({"first_epoch": 4, "epochs": 3, "lr": 0.25}, "first_epoch must be one of the 3 epochs, and is 4"),
        ({"first_epoch": 2}, "first_epoch needs the rates of all epochs as lr, and no patience"),
        ({"first_epoch": 2, "lr": 0.25, "patience": 2}, "first_epoch needs the rates of all epochs as lr"),
    ],
)
def test_a_first_epoch_that_cannot_be(arguments: dict[str, Any], message: str) -> None:
    with on_emulator() as board:
        board.load(scaled_model(X))
        before = board.read_model()
        with pytest.raises(ArgumentError, match=message):
            board.fit(X, Y, **arguments)
        assert board.read_model().differences(before) == []
    with on_emulator() as board, pytest.raises(ArgumentError, match="goes on with a loaded model, and none is loaded"):
        board.fit(X, Y, lr=0.25, first_epoch=2)


def test_a_share_is_held_out_class_by_class() -> None:
    """The samples that are held out are drawn, not the last ones: data is often sorted by class."""
    X, y = small.clusters(1, 300)
    X, y = X[np.argsort(y)], np.sort(y)
    learned, held = hold_out(y, 0.2, 3)
    assert np.bincount(y[held]).tolist() == [round(0.2 * n) for n in np.bincount(y)]
    with on_emulator() as by_share, on_emulator() as by_hand:
        history = by_share.fit(X, y, epochs=2, lr=2**-5, validation=0.2, random_state=3)
        wanted = by_hand.fit(X[learned], y[learned], epochs=2, lr=2**-5, validation=(X[held], y[held]), random_state=3)
        assert [e.validation for e in history.epochs] == [e.validation for e in wanted.epochs]
        assert by_share.read_model().differences(by_hand.read_model()) == []


def test_what_a_notebook_shows(board: Accelerator) -> None:
    assert repr(board).startswith("<Accelerator: Network(small: ")
    history = board.fit(X, Y, epochs=2, lr=2**-5, validation=5)
    assert repr(history).startswith("History(2 epochs, 30 samples, accuracy ")
    assert history._repr_html_().count("<tr>") == 3
