"""Rates that nobody gave: the same on every kind of device and by every way of the samples, and as documented."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.permutation import epoch_seed, permutation
from presparse.contract.samples import Samples
from presparse.device.session import Session
from presparse.errors import ArgumentError
from presparse.fitting import rate_search
from presparse.fitting.class_weight import balanced_rows
from presparse.fitting.holding_out import hold_out
from presparse.history import History, Progress
from presparse.model import Model
from presparse.reference.emulator import Emulator
from presparse.reference.native.native_reference import NativeReference
from presparse.reference.pytorch import Reference
from tests.host import small
from tests.host.device.protocol_board import BoardLink, ProtocolBoard

STORING = Build(network=small.NETWORK, result_capacity=16, store_samples=600)
X, Y = small.clusters(1, 120)
X = 4 * np.round(X / 4)  # so that the store can tell all values apart


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_search, "TRIED", 40)


def over_the_link() -> Accelerator:
    board = ProtocolBoard(small.BUILD)
    return Accelerator(Session(lambda: BoardLink(board), small.BUILD))


def from_the_store() -> Accelerator:
    board = ProtocolBoard(STORING)
    return Accelerator(Session(lambda: BoardLink(board), STORING))


def on_emulator() -> Accelerator:
    return Accelerator(Emulator(small.BUILD))


def on_emulator_c() -> Accelerator:
    return Accelerator(Emulator(STORING, reference=NativeReference))


BOARDS = [pytest.param(way, marks=pytest.mark.slow) for way in (over_the_link, from_the_store)]
WAYS = [*BOARDS, on_emulator, on_emulator_c]


pytestmark = pytest.mark.filterwarnings("ignore::presparse.errors.LearningWarning")  # they learn little


def fitted(board: Accelerator, **given: object) -> tuple[History, Model]:
    history = board.fit(X, Y, **{"epochs": 6, "random_state": 3, **given})  # pyright: ignore[reportArgumentType]
    return history, board.read_model()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_the_documented_one(way: Callable[[], Accelerator]) -> None:
    """The rate that is found, the order of every epoch, and the epoch that is kept: by hand, on the reference."""
    with way() as board:
        history, model = fitted(board)
    learn, held = hold_out(Y, 12, 3)
    order = learn[np.random.default_rng(3).permutation(108)]
    start = Model.initial(small.NETWORK, random_state=3, inputs=model.inputs)
    values = None if board.build.sample_format is None else 16
    assert start.inputs.equals(type(start.inputs).fit(X[learn], palettes=values))
    assert history.chosen.endswith("features rounded to 16 values") == (values is not None)
    features = start.encode(X)

    def trained(exponents: list[int], samples: int) -> tuple[Reference, list[int]]:
        reference, right = Reference(small.BUILD, start), []
        for number, exponent in enumerate(exponents, start=1):
            rows = order[permutation(samples, epoch_seed(3, number))]
            before = reference.counters["correct"]
            reference.run(Samples.train(features[rows], Y[rows], exponent))
            reference.flush()
            right.append(reference.counters["correct"] - before)
        return reference, right

    def held_right(reference: Reference) -> int:
        return int((reference.scores(features[held])[:, :3].argmax(axis=1) == Y[held]).sum())

    tried = {}
    for exponent in range(2, 9):
        reference, (right,) = trained([exponent], 40)
        tried[exponent] = (right + held_right(reference)) / 52
    assert ", ".join(f"2^-{k} {accuracy:.1%}" for k, accuracy in tried.items()) in history.chosen
    first = rate_search.best([*tried.items()], 52)
    assert history.chosen.startswith(f"lr begins at 2^-{first} ")
    exponents = [round(-np.log2(epoch.lr)) for epoch in history.epochs]
    assert exponents[0] == first
    reference, right = trained(exponents, 108)
    assert [round(epoch.accuracy * 108) for epoch in history.epochs] == right
    assert history.kept is not None
    kept, _ = trained(exponents[: history.kept], 108)
    assert model.differences(kept.model()) == []
    assert history.epochs[history.kept - 1].validation == held_right(kept) / 12


@pytest.mark.parametrize(
    ("tried", "measured", "wanted"),
    [
        ([(2, 0.9), (3, 0.95), (4, 0.9), (5, 0.8)], 1000, 4),
        ([(2, 0.95), (3, 0.95), (4, 0.94), (5, 0.9)], 1000, 5),  # a standard error is 0.7 %
        ([(2, 1.0), (3, 1.0), (7, 1.0), (8, 0.9)], 10, 4),
        ([(2, 0.5), (8, 0.9)], 10, 8),
        ([(3, 0.0)], 1, 3),
    ],
)
def test_half_the_rate_that_learns_a_few_samples_best(
    tried: list[tuple[int, float]], measured: int, wanted: int
) -> None:
    assert rate_search.best(tried, measured) == wanted


@pytest.mark.parametrize("way", [BOARDS[0], on_emulator_c])
def test_whoever_ends_the_search_finds_the_model_of_before(way: Callable[[], Accelerator]) -> None:
    start = Model.initial(small.NETWORK, random_state=9)
    seen: list[Progress] = []

    def stop(progress: Progress) -> bool:
        seen.append(progress)
        return progress.epoch == 0 and progress.lr == 2**-4

    def interrupt(progress: Progress) -> None:
        if progress.epoch == 0 and progress.lr == 2**-4:
            raise KeyboardInterrupt

    with way() as board:
        board.load(start)
        history, model = fitted(board, progress=stop)
        assert (history.stopped, history.epochs) == (True, [])
        assert {(told.epoch, told.of) for told in seen} == {(0, 40)}
        assert model.differences(start) == []
        with pytest.raises(KeyboardInterrupt):
            board.fit(X, Y, progress=interrupt)
        assert board.read_model().differences(start) == []
        assert board.fit(X, Y, progress=interrupt, keep_on_interrupt=True).interrupted


@pytest.mark.slow
@pytest.mark.parametrize("way", [BOARDS[1], on_emulator_c])
@pytest.mark.parametrize("epoch", [2, 5])
def test_a_training_goes_on_with_the_rate_that_it_found(
    way: Callable[[], Accelerator], epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, wanted = fitted(way())
    path = tmp_path / "checkpoint"
    stopped, _ = fitted(way(), checkpoint=path, progress=lambda told: told.epoch == epoch)
    assert stopped.stopped
    monkeypatch.setattr(rate_search, "TRIED", 1)  # what it would find now is another matter
    gone_on, model = fitted(way(), checkpoint=path)
    assert (gone_on.chosen, gone_on.kept) == (whole.chosen, whole.kept)
    assert [(e.lr, e.accuracy, e.validation) for e in gone_on.epochs] == [
        (e.lr, e.accuracy, e.validation) for e in whole.epochs
    ]
    assert model.differences(wanted) == []
    again, model = fitted(way(), checkpoint=path)
    assert len(again.epochs) == len(whole.epochs)
    assert model.differences(wanted) == []


def test_with_patience_given_rates_end_early_and_the_best_epoch_is_kept() -> None:
    """Labels that mean nothing: what an epoch reaches goes up and down."""
    labels = np.random.default_rng(99).integers(3, size=120)
    with on_emulator_c() as board:
        history = board.fit(X, labels, epochs=40, lr=2**-2, patience=4, validation=0.4)
        model = board.read_model()
    reached = [epoch.validation for epoch in history.epochs]
    best = max(each for each in reached if each is not None)
    assert len(reached) == reached.index(best) + 1 + 4 < 40
    assert history.kept is not None
    with on_emulator_c() as board:
        board.fit(X, labels, epochs=history.kept, lr=2**-2, validation=0.4)
        assert board.read_model().differences(model) == []


def test_what_is_stored_is_enough() -> None:
    """Without X and y a tenth of what is on the board is held out, its last samples."""
    with on_emulator_c() as board:
        board.store(X, Y)
        history = board.fit(epochs=4, random_state=3)
        assert [epoch.samples for epoch in history.epochs] == [108] * 4
        assert all(epoch.validation is not None for epoch in history.epochs)
        with pytest.raises(ArgumentError, match="class_weight needs X and y"):
            board.fit(class_weight="balanced")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("validation", [None, 0.2])
def test_balanced_classes_are_those_of_samples_that_are_there_more_often(
    way: Callable[[], Accelerator], validation: float | None
) -> None:
    few = np.concatenate([np.flatnonzero(Y == 0), np.flatnonzero(Y == 1)[:12], np.flatnonzero(Y == 2)[:7]])
    features, labels = X[few], Y[few]
    learn, held = (np.arange(len(few)), None) if validation is None else hold_out(labels, validation, 0)
    rows = learn[balanced_rows(labels[learn])]
    given = None
    if held is not None:
        often = held[balanced_rows(labels[held])]
        given = (features[often], labels[often])
    start = Model.initial(small.NETWORK, inputs=Model.initial(small.NETWORK).inputs)
    with way() as board, on_emulator() as by_hand:
        for one in (board, by_hand):
            one.load(start)
        history = board.fit(features, labels, epochs=2, lr=2**-3, class_weight="balanced", validation=validation)
        wanted = by_hand.fit(features[rows], labels[rows], epochs=2, lr=2**-3, validation=given)
        assert [epoch.validation for epoch in history.epochs] == [epoch.validation for epoch in wanted.epochs]
        assert history.epochs[0].samples == 3 * np.bincount(labels[learn]).max()
        assert board.read_model().differences(by_hand.read_model()) == []


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_a_handful_of_samples(samples: int) -> None:
    with on_emulator_c() as board:
        history = board.fit(X[:samples], Y[:samples], epochs=2)
        assert history.samples == 2 * (samples if samples < 6 else samples - 1)
