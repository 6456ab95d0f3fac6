"""A session that sends samples as words and asks for classes: the same bits, in fewer bytes, whatever happens."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.contract.address_map import SAMPLE_PALETTES
from presparse.contract.build import Build
from presparse.contract.sample_words import Palettes
from presparse.contract.samples import Samples
from presparse.contract.store import Contents
from presparse.contract.wire import ResultForm, SampleKind
from presparse.device import session as session_module
from presparse.device.links.faulty import Faults
from presparse.device.protocol import Device
from presparse.device.session import Session
from presparse.errors import ArgumentError, BuildError, DeviceFault, SampleError, StoreError
from presparse.reference.emulator import Emulator
from presparse.reference.pytorch import Reference
from tests.host import small
from tests.host.device.cable import Cable
from tests.host.device.protocol_board import SAMPLES, WRITE, BoardLink, ProtocolBoard
from tests.networks import random_build, random_model, random_samples

BUILD = Build(network=small.NETWORK, result_capacity=16, sample_bits=4)
QUICK = 0.02


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)


def coarse(samples: Samples, bits: int = 4) -> Samples:
    """In so few steps that palettes hold all values."""
    shift = max(0, 10 - bits)
    return replace(samples, features=samples.features >> shift << shift)


def palettes(samples: Samples, build: Build = BUILD) -> Palettes:
    assert build.sample_format is not None
    return Palettes.of(build.sample_format, samples.features)


def opened(board: ProtocolBoard, faults: Faults | None = None, retries: int = 3) -> tuple[Session, Cable]:
    cable = Cable(BoardLink(board), faults)
    session = Session(cable, board.build, timeout=QUICK if faults else 2.0, retries=retries)
    session.load(small.model())
    return session, cable


def assert_trained(session: Session, *all_samples: Samples) -> None:
    reference = Reference(BUILD, small.model())
    for samples in all_samples:
        reference.run(samples)
        reference.flush()
    held, expected = session.read(), reference.model()
    for kind in ("weights", "biases"):
        for own, other in zip(getattr(held, kind), getattr(expected, kind), strict=True):
            np.testing.assert_array_equal(own, other, err_msg=kind)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_builds_equal_the_reference(seed: int) -> None:
    """Any network, palettes of all features or of each, mixed kinds, both forms of results."""
    rng = np.random.default_rng(seed)
    build = random_build(rng, neurons=24)
    bits = int(rng.integers(1, min(5, build.network.formats.activation.width) + 1))
    given = {**build.model_dump(), "network": build.network, "result_capacity": 40, "sample_bits": bits}
    build = Build(**{**given, "sample_palettes": ["per feature", "shared"][seed % 2]})
    board, model = ProtocolBoard(build), random_model(rng, build.network)
    session, reference = Session(lambda: BoardLink(board), build), Reference(build, model)
    session.load(model)
    values = rng.choice(np.unique(random_samples(rng, build, 50).features), size=1 << bits)
    for form in (ResultForm.SCORES, ResultForm.CLASS):
        samples = random_samples(rng, build, 150)
        samples.features[:, : build.network.features] = rng.choice(values, size=(150, build.network.features))
        session.set_palettes(palettes(samples, build))
        own = np.concatenate([session.feed(samples, form), session.flush()])
        expected = np.concatenate([reference.run(samples), reference.flush()])
        if form == ResultForm.CLASS:
            expected = expected[:, : build.network.classes].argmax(axis=1)
        np.testing.assert_array_equal(own, expected)
    counters = session.counters()
    assert {c: counters[c] for c in reference.counters} == reference.counters
    assert board.compressed in (0, 150, 300)  # a feature or two are shorter as they are


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_faulty_link_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    board = ProtocolBoard(BUILD)
    session, _ = opened(board, Faults(rng, 0.2), retries=60)
    training, predictions = coarse(small.training(seed, 1200)), coarse(small.predictions(seed, 150))
    session.set_palettes(palettes(training))
    session.feed(training)
    session.flush()
    classes = np.concatenate([session.feed(predictions, ResultForm.CLASS), session.flush()])
    assert board.compressed == 1350
    assert_trained(session, training)
    reference = Reference(BUILD, small.model())
    reference.run(training)
    reference.flush()
    np.testing.assert_array_equal(classes, reference.scores(predictions.features)[:, :3].argmax(axis=1))
    assert session.identify().accepted == 1350


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 40, 1023, 1040, 2100])
def test_a_cut_goes_on_with_the_record_that_is_next(cut: int) -> None:
    """Records have different lengths: the board's count says which they were."""
    board = ProtocolBoard(BUILD)
    session, cable = opened(board)
    samples = coarse(small.training(1, 300))
    session.set_palettes(palettes(samples))
    cable.last.cut_after = cut
    session.feed(samples)
    session.flush()
    assert len(cable.opened) == 2
    assert board.accepted == board.compressed == 300
    assert_trained(session, samples)


def test_what_palettes_lack_is_sent_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Piece by piece: every call is one or the other."""
    board = ProtocolBoard(BUILD)
    session, _ = opened(board)
    known, strange = coarse(small.training(1, 50)), small.training(2, 50)
    with caplog.at_level(logging.INFO, "presparse"):
        session.feed(known)  # no palettes yet
        assert board.compressed == 0
        session.set_palettes(palettes(known))
        for samples in (known, strange, known):
            session.feed(samples)
    session.flush()
    assert board.compressed == 100
    assert "50 samples are sent uncompressed: sample 0 has " in caplog.text
    assert "fit palettes to these samples too" in caplog.text
    bad = replace(known, labels=np.full(50, 3, dtype=np.uint16))
    with pytest.raises(SampleError, match="labels must be 0 to 2, and are 3 to 3"):
        session.feed(bad)


def test_palettes_are_written_once_and_stay() -> None:
    board = ProtocolBoard(BUILD)
    session, cable = opened(board)
    samples = coarse(small.training(1, 50))
    assert session.palettes is None
    session.set_palettes(palettes(samples))
    board.executed.clear()
    session.set_palettes(palettes(samples))
    assert board.executed == []
    session.reset()
    for accepted in (50, 100):  # a cut before anything was accepted, and one after it
        cable.last.cut_after = 0
        session.feed(samples)
        assert board.accepted == board.compressed == accepted
    assert WRITE not in board.executed
    assert session.palettes is not None
    assert session.palettes.equals(palettes(samples))


def test_lost_palettes_are_noticed() -> None:
    board = ProtocolBoard(BUILD)
    session, cable = opened(board)
    samples = coarse(small.training(1, 50))
    session.set_palettes(palettes(samples))
    session.reset()  # so that nothing else is known of the board's memory
    assert board.store is not None
    board.store.words[0xFF][3] ^= 1
    cable.last.cut_after = 0
    with pytest.raises(DeviceFault, match=f"address {SAMPLE_PALETTES + 3:#x} was written with"):
        session.feed(samples)


def test_palettes_that_do_not_hold_are_named() -> None:
    board = ProtocolBoard(BUILD)
    board.stuck_words[SAMPLE_PALETTES + 2] = 0x55
    session, _ = opened(board)
    with pytest.raises(DeviceFault, match=r"address 0xff000002 was written with .* and reads 0x00000055"):
        session.set_palettes(palettes(coarse(small.training(1, 50))))
    assert session.palettes is None
    session.feed(coarse(small.training(1, 50)))
    assert board.compressed == 0


def on_board(build: Build) -> Device:
    board = ProtocolBoard(build)
    return Session(lambda: BoardLink(board), build)


@pytest.mark.parametrize("make", [on_board, Emulator])
def test_results_wait_in_one_form(make: type[Emulator]) -> None:
    device = make(BUILD)
    device.load(small.model())
    predictions, training = small.predictions(1, 40), small.training(2, 30)
    scores = np.concatenate([device.feed(predictions), device.flush()])
    parts = [device.feed(predictions[:13], ResultForm.CLASS)]
    with pytest.raises(ArgumentError, match=r"wait with their results as CLASS, and SCORES is wanted .* flush first"):
        device.feed(predictions[13:])
    parts += [device.feed(predictions[13:], ResultForm.CLASS), device.feed(training), device.flush()]
    np.testing.assert_array_equal(np.concatenate(parts), scores[:, :3].argmax(axis=1))
    assert device.feed(predictions, ResultForm.SCORES).ndim == 2
    assert device.flush().ndim == 2


@pytest.mark.parametrize("make", [on_board, Emulator])
def test_palettes_that_a_build_does_not_take(make: type[Emulator]) -> None:
    samples = coarse(small.training(1, 50))
    with pytest.raises(BuildError, match="takes no compressed samples; build the board with sample_bits"):
        make(small.BUILD).set_palettes(palettes(samples))
    wider = Build(network=small.NETWORK, result_capacity=16, sample_bits=5)
    with pytest.raises(BuildError, match="and the board packs them as"):
        make(wider).set_palettes(palettes(samples))


def test_classes_take_fewer_bytes() -> None:
    board = ProtocolBoard(BUILD)
    session, _ = opened(board)
    sizes: list[int] = []

    def counted(operation: int, payload: bytes) -> tuple[int, bytes]:
        status, answer = execute(operation, payload)
        if operation == 0x05:
            sizes.append(len(answer))
        return status, answer

    execute, board._execute = board._execute, counted
    session.feed(small.predictions(1, 100), ResultForm.CLASS)
    session.flush()
    assert sum(sizes) == 100


def test_samples_that_words_would_lengthen_stay_as_they_are() -> None:
    """No value of theirs is the common one: a word for each, as before, and masks."""
    build = Build(network=small.NETWORK, result_capacity=16, sample_bits=10, feature_port=1)
    board = ProtocolBoard(build)
    session = Session(lambda: BoardLink(board), build)
    session.load(small.model())
    samples = small.training(1, 60)
    samples.features[:20, :7] = -301  # none of the others
    session.set_palettes(palettes(samples, build))
    session.feed(samples[20:])
    session.feed(samples[:20])
    session.flush()
    assert board.accepted == 60
    assert board.compressed == 20


def test_kinds_on_the_wire() -> None:
    """A sample in bytes, by hand: kind 6 is a compressed one to be trained, then words."""
    board = ProtocolBoard(BUILD)
    session, _ = opened(board)
    features: NDArray[np.int64] = np.zeros((1, 8), dtype=np.int64)
    features[0, :2] = 5, -7
    samples = Samples.train(features, [2], 3)
    session.set_palettes(palettes(Samples.train(np.concatenate([features * 0, features * 0, features]), [0], 3)))
    sent: list[bytes] = []
    execute = board._execute

    def noted(operation: int, payload: bytes) -> tuple[int, bytes]:
        if operation == SAMPLES:
            sent.append(payload)
        return execute(operation, payload)

    board._execute = noted
    session.feed(samples)
    # Header: label 2, 3 words; mask: the first block of four codes; codes 1 and 1.
    assert sent == [bytes([4 + SampleKind.TRAIN, 3]) + bytes([2 | 3 << 2, 0, 1, 0, 0x11, 0])]
    assert board.accepted == 1


def test_stored_samples_keep_their_palettes() -> None:
    build = Build(network=small.NETWORK, result_capacity=16, store_samples=100)
    assert build.store is not None
    for device in (on_board(build), Emulator(build)):
        device.load(small.model())
        samples = coarse(small.training(1, 50))
        device.store(Contents.encode(build.store, samples.features, samples.labels), lambda done, of: None)
        assert device.palettes is not None
        device.set_palettes(device.palettes)
        with pytest.raises(StoreError, match="stored samples go by other palettes; store them again with these"):
            device.set_palettes(palettes(coarse(small.training(2, 50), bits=3), build))
