"""A session with a board that speaks docs/protocol.md: exact in spite of every fault, or a typed error in time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from presparse.contract.address_map import COUNTERS, edge_address
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.contract.store import Contents
from presparse.contract.wire import PROTOCOL_VERSION
from presparse.device import memory_transfer
from presparse.device import session as session_module
from presparse.device.links.faulty import Faults, FaultyLink
from presparse.device.protocol import Parameters
from presparse.device.session import Session
from presparse.errors import (
    DeviceFault,
    DeviceMismatch,
    LinkClosed,
    LinkCorrupt,
    LinkError,
    LinkTimeout,
    ModelError,
    ResultsLost,
)
from presparse.reference.pytorch import Reference
from tests.host import small
from tests.host.device.cable import Cable
from tests.host.device.protocol_board import IDENTIFY, RESET, SAMPLES, BoardLink, ProtocolBoard
from tests.networks import random_build, random_model, random_samples

pytestmark = pytest.mark.slow


QUICK = 0.01
"""Seconds per answer where faults are meant to be met."""


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)


def open_session(board: ProtocolBoard, **options: float) -> Session:
    return Session(lambda: BoardLink(board), board.build, **options)  # pyright: ignore[reportArgumentType]


def assert_same(held: Parameters, reference: Reference) -> None:
    model = reference.model()
    for own, other in zip(
        (*held.left, *held.weights, *held.biases), (*model.left, *model.weights, *model.biases), strict=True
    ):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("seed", range(12))
def test_random_builds_equal_the_reference(seed: int) -> None:
    """Any network, mixed kinds of samples in several runs: scores, parameters and counters equal the reference."""
    rng = np.random.default_rng(seed)
    build = random_build(rng, neurons=24).model_copy(update={"result_capacity": 40})
    board = ProtocolBoard(build)
    session = open_session(board)
    model = random_model(rng, build.network)
    reference = Reference(build, model)
    session.load(model)
    session.clear_counters()
    assert_same(session.read(), reference)

    own, other = [], []
    for count in (1, 60, 0, 150):
        samples = random_samples(rng, build, count)
        own.append(session.feed(samples))
        other.append(reference.run(samples))
    own.append(session.flush())
    other.append(reference.flush())
    np.testing.assert_array_equal(np.concatenate(own), np.concatenate(other))
    assert_same(session.read(), reference)
    counters = session.counters()
    assert list(counters) == list(COUNTERS)
    assert {c: counters[c] for c in reference.counters} == reference.counters
    assert session.identify().accepted == 211
    assert board.most_unread <= 40
    assert 1 < board.most_pending <= 4


@pytest.mark.parametrize("capacity", [1, 3, 5, 16, 4096])
def test_predictions_never_exceed_the_boards_room(capacity: int) -> None:
    build = small.BUILD.model_copy(update={"result_capacity": capacity})
    board = ProtocolBoard(build)
    session = open_session(board)
    session.load(small.model())
    samples = small.predictions(1, 300)
    scores = np.concatenate([session.feed(samples), session.flush()])
    np.testing.assert_array_equal(scores, Reference(build, small.model()).scores(samples.features))
    assert board.most_unread <= capacity


def test_too_little_room_while_training_is_an_error_in_time() -> None:
    build = small.BUILD.model_copy(update={"result_capacity": 1})
    session = open_session(ProtocolBoard(build), timeout=QUICK)
    session.load(small.model())
    session.feed(small.training(1, 5))
    with pytest.raises(DeviceFault, match="flush before predicting, or build it with result_capacity above"):
        session.feed(small.predictions(1, 5))


def test_payloads_are_full() -> None:
    board = ProtocolBoard(small.BUILD)
    session = open_session(board)
    session.load(small.model())
    board.executed.clear()
    session.feed(small.training(1, 1000))
    assert board.executed == [SAMPLES] * -(-1000 * 20 // 1024)


@pytest.mark.parametrize("seed", range(10))
def test_faulty_link_changes_nothing(seed: int) -> None:
    """Bytes lost, flipped, doubled, frames cut or lost, both ways: every sample trains exactly once."""
    rng = np.random.default_rng(seed)
    board = ProtocolBoard(small.BUILD)
    session = Session(Cable(BoardLink(board), Faults(rng, 0.2)), small.BUILD, timeout=QUICK, retries=60)
    reference = Reference(small.BUILD, small.model())
    session.load(small.model())
    own, other = [], []
    for count in (400, 900, 1, 300):
        samples = random_samples(rng, small.BUILD, count)
        own.append(session.feed(samples))
        other.append(reference.run(samples))
    own.append(session.flush())
    other.append(reference.flush())
    np.testing.assert_array_equal(np.concatenate(own), np.concatenate(other))
    assert_same(session.read(), reference)
    counters = session.counters()
    assert counters["trained"] == reference.counters["trained"]
    assert session.identify().accepted == 1601
    bad = [counters[c] for c in ("frames_corrupt", "frames_malformed", "frames_repeated", "frames_unexpected")]
    assert all(bad), "the faults did not reach every case"


@pytest.mark.parametrize("seed", range(6))
def test_gives_up_in_time_and_goes_on_where_it_was(seed: int) -> None:
    """Too many faults for two repeats: a typed error; `accepted` says where to go on, and the end is exact."""
    rng = np.random.default_rng(seed)
    board = ProtocolBoard(small.BUILD)
    links = Cable(BoardLink(board))
    session = Session(links, small.BUILD, timeout=QUICK, retries=1)
    reference = Reference(small.BUILD, small.model())
    session.load(small.model())
    link = links.opened[0]
    samples = small.training(seed, 1000)
    done, errors = 0, 0
    while done < len(samples):
        link.faults = Faults(rng, 0.4) if errors < 5 else None
        began = time.monotonic()
        try:
            session.feed(samples[done:])
        except LinkError:
            errors += 1
            assert time.monotonic() - began < 30
        link.faults = None
        done = session.identify().accepted
    assert errors, "no fault was too much"
    session.flush()
    reference.run(samples)
    reference.flush()
    assert_same(session.read(), reference)
    assert session.counters()["trained"] == 1000


@pytest.mark.parametrize("cut", [1, 5, 60, 1000, 1100, 2000, 4096, 5003, 10007, 15000, 20000, 20500, 21000])
def test_cut_training_goes_on_exactly(cut: int) -> None:
    """The link closes after some bytes of a run, is opened again, and no sample is trained twice or left out."""
    board = ProtocolBoard(small.BUILD)
    links = Cable(BoardLink(board))
    session = Session(links, small.BUILD, timeout=1)
    reference = Reference(small.BUILD, small.model())
    session.load(small.model())
    links.opened[0].cut_after = cut
    samples = small.training(1, 1000)
    session.feed(samples)
    session.flush()
    reference.run(samples)
    reference.flush()
    assert_same(session.read(), reference)
    assert {c: session.counters()[c] for c in ("trained", "correct")} == {
        c: reference.counters[c] for c in ("trained", "correct")
    }
    assert len(links.opened) == 2


def test_cut_again_and_again() -> None:
    """Reconnects are counted without progress in between only."""
    board = ProtocolBoard(small.BUILD)
    links = Cable(BoardLink(board), cuts=(None, 5000))
    session = Session(links, small.BUILD, timeout=1, reconnects=1)
    session.load(small.model())
    links.opened[0].cut_after = 3000
    samples = small.training(1, 1000)
    session.feed(samples)
    links.cuts = (None,)
    session.flush()
    reference = Reference(small.BUILD, small.model())
    reference.run(samples)
    reference.flush()
    assert_same(session.read(), reference)
    assert len(links.opened) > 4


def test_cut_predictions_are_reported_and_can_be_repeated() -> None:
    board = ProtocolBoard(small.BUILD)
    links = Cable(BoardLink(board))
    session = Session(links, small.BUILD, timeout=1)
    session.load(small.model())
    samples = small.predictions(1, 200)
    links.opened[0].cut_after = 2500
    with pytest.raises(ResultsLost, match="predict these samples again"):
        session.feed(samples)
    scores = np.concatenate([session.feed(samples), session.flush()])
    np.testing.assert_array_equal(scores, Reference(small.BUILD, small.model()).scores(samples.features))


def test_cut_while_loading() -> None:
    board = ProtocolBoard(small.BUILD)
    links = Cable(BoardLink(board))
    session = Session(links, small.BUILD, timeout=1)
    links.opened[0].cut_after = 300
    session.load(small.model())
    assert_same(session.read(), Reference(small.BUILD, small.model()))


def stored_board() -> tuple[ProtocolBoard, Contents]:
    """A board with a store, and 1,000 samples for it, a piece each."""
    build = Build(network=small.NETWORK, result_capacity=16, store_samples=1000, sample_bits=4)
    samples = small.training(1, 1000)
    assert build.store is not None
    return ProtocolBoard(build), Contents.encode(build.store, samples.features >> 6 << 6, samples.labels)


def test_an_upload_is_cut_again_and_again() -> None:
    """Its pieces are progress, as samples are."""
    board, contents = stored_board()
    links = Cable(BoardLink(board), cuts=(None, 8000))
    session = Session(links, board.build, timeout=1, reconnects=1)
    session.load(small.model())
    links.opened[0].cut_after = 3000
    session.store(contents)
    links.last.cut_after = None
    assert len(links.opened) > 8
    for start, words in contents.words.items():
        found = memory_transfer.read(session._transport, {start: len(words)})[start]
        np.testing.assert_array_equal(found, words)


def test_an_upload_to_a_board_that_forgets_ends() -> None:
    """It loses its power with every cut: the same pieces, written again, are no progress."""
    board, contents = stored_board()
    cable = Cable(BoardLink(board), cuts=(None, 8000))

    def plugged_in_again() -> FaultyLink:
        board.power_on()
        return cable()

    session = Session(plugged_in_again, board.build, timeout=1, reconnects=3)
    cable.opened[0].cut_after = 6000
    with pytest.raises(LinkClosed, match="the link was cut"):
        session.store(contents)
    assert len(cable.opened) < 10


@pytest.mark.parametrize("trained", [0, 100])
def test_a_board_that_lost_its_power_is_noticed(trained: int) -> None:
    board = ProtocolBoard(small.BUILD)
    links = Cable(BoardLink(board))
    session = Session(links, small.BUILD, timeout=1)
    session.load(small.model())
    session.feed(small.training(1, trained))
    links.opened[0].cut_after = 100
    board.power_on()
    with pytest.raises(DeviceFault, match=r"lost its power|reads"):
        session.feed(small.training(2, 500))


def test_link_that_stays_closed() -> None:
    board = ProtocolBoard(small.BUILD)
    links = Cable(BoardLink(board), cuts=(None, 0))
    session = Session(links, small.BUILD, timeout=1, reconnects=3)
    session.load(small.model())
    links.opened[0].cut_after = 1500
    with pytest.raises(LinkClosed, match="the link was cut"):
        session.feed(small.training(1, 100))
    assert len(links.opened) == 4
    assert all(link.closed for link in links.opened[:-1])


def test_closed_session_stays_closed() -> None:
    session = open_session(ProtocolBoard(small.BUILD))
    session.close()
    session.close()
    with pytest.raises(LinkClosed, match="closed; open it again"):
        session.counters()


def test_board_that_never_answers() -> None:
    board = ProtocolBoard(small.BUILD)
    board.mute = True
    began = time.monotonic()
    with pytest.raises(LinkTimeout, match=r"no answer to IDENTIFY \(asked 4 times, 0.01 s each\)"):
        open_session(board, timeout=QUICK)
    assert 4 * QUICK <= time.monotonic() - began < 2


def test_board_that_falls_silent_and_comes_back() -> None:
    board = ProtocolBoard(small.BUILD)
    session = open_session(board, timeout=QUICK)
    session.load(small.model())
    board.mute = True
    with pytest.raises(LinkTimeout, match="no answer to SAMPLES"):
        session.feed(small.training(1, 500))
    board.mute = False
    done = session.identify().accepted
    assert done == board.accepted
    session.feed(small.training(1, 500)[done:])
    session.flush()
    reference = Reference(small.BUILD, small.model())
    reference.run(small.training(1, 500))
    reference.flush()
    assert_same(session.read(), reference)


@pytest.mark.parametrize("garbage", [b"\x05hello\0", b"\xff", b"\x01\x01\x00"])
def test_garbage_instead_of_answers(garbage: bytes) -> None:
    """Also an endless stream of it: the wait ends all the same, and not as if nothing had come."""
    board = ProtocolBoard(small.BUILD)
    message = r"no intact answer to IDENTIFY .* strange bytes .* check the baud rate .* that the port is the board's"
    with pytest.raises(LinkCorrupt, match=message):
        Session(lambda: BoardLink(board, garbage=garbage), small.BUILD, timeout=QUICK)


def test_another_contract_is_named() -> None:
    board = ProtocolBoard(small.BUILD, contract_hash="ab" * 32)
    links = Cable(BoardLink(board))
    with pytest.raises(DeviceMismatch, match="ab" * 32) as error:
        Session(links, small.BUILD)
    assert small.BUILD.hash in str(error.value)
    assert "small" in str(error.value)
    assert links.opened[0].closed


@pytest.mark.parametrize("protocol", [1, 2, 9])
def test_another_protocol_is_named(protocol: int) -> None:
    """Older ones have a shorter identity."""
    told = f"speaks protocol {protocol}, and this Presparse {PROTOCOL_VERSION}; build the board again"
    with pytest.raises(DeviceMismatch, match=told):
        open_session(ProtocolBoard(small.BUILD, protocol=protocol))


def test_memory_that_does_not_hold_is_named() -> None:
    board = ProtocolBoard(small.BUILD)
    address = edge_address(2, 5)
    board.stuck_words[address] = 0x12345678
    session = open_session(board)
    with pytest.raises(DeviceFault, match=rf"address {address:#010x} was written with 0x\w+ and reads 0x12345678"):
        session.load(small.model())


def test_model_of_another_network() -> None:
    other = Network(**{**small.NETWORK.model_dump(), "name": "other", "features": 6})
    session = open_session(ProtocolBoard(small.BUILD))
    with pytest.raises(ModelError, match=r"of network other .* and the build of network small"):
        session.load(random_model(np.random.default_rng(0), other))


def test_refused_request_names_operation_and_status() -> None:
    session = open_session(ProtocolBoard(small.BUILD))
    bad = small.training(1, 3)
    bad.rates.setflags(write=True)
    bad = Samples(bad.kinds, bad.features, np.full(3, 99, np.uint16), bad.rates)
    with pytest.raises(DeviceFault, match="refused SAMPLES: BAD_SAMPLE"):
        session.feed(bad)
    assert session.identify().accepted == 0


def test_an_earlier_session_leaves_nothing_behind() -> None:
    """Samples in flight are finished, its unread scores and half-sent records dropped."""
    board = ProtocolBoard(small.BUILD)
    first = open_session(board)
    first.load(small.model())
    first.feed(small.training(1, 50))
    first.feed(small.predictions(1, 10))
    board.record += b"\2\4"
    second = open_session(board)
    reference = Reference(small.BUILD, small.model())
    reference.run(small.training(1, 50))
    reference.run(small.predictions(1, 10))
    reference.flush()
    assert_same(second.read(), reference)
    samples = small.predictions(2, 20)
    scores = np.concatenate([second.feed(samples), second.flush()])
    np.testing.assert_array_equal(scores, reference.scores(samples.features))


@pytest.mark.parametrize("sequence", range(0, 256, 15))
def test_start_with_any_sequence_number(sequence: int) -> None:
    """Also with the number of the earlier session's newest request, which is not executed again."""
    board = ProtocolBoard(small.BUILD)
    first = Session(lambda: BoardLink(board), small.BUILD, first_sequence=0)
    first.load(small.model())
    first.feed(small.training(1, 10))
    while board.expected != (sequence + 1) % 256:
        first.counters()
    second = Session(lambda: BoardLink(board), small.BUILD, first_sequence=sequence)
    assert second.identify().accepted == 10
    assert board.accepted == 10


def test_opening_a_fresh_board_feeds_nothing() -> None:
    board = ProtocolBoard(small.BUILD)
    open_session(board)
    assert board.executed == [IDENTIFY]
    assert board.reference.counters["blocks"] == 0


def test_reset_keeps_weights() -> None:
    board = ProtocolBoard(small.BUILD)
    session = open_session(board)
    session.load(small.model())
    session.feed(small.training(1, 30))
    session.flush()
    held = session.read()
    session.feed(small.predictions(1, 5))
    session.reset()
    assert session.identify().accepted == 0
    assert session.counters()["trained"] == 0
    assert session.flush().shape == (0, 4)
    np.testing.assert_array_equal(session.read().weights[0], held.weights[0])


class Interrupting(BoardLink):
    """Ctrl-C during the n-th read or write from when `at` was set."""

    at = -1

    def read(self, limit: int, timeout: float) -> bytes:
        self._count()
        return super().read(limit, timeout)

    def write(self, data: bytes) -> None:
        if self._count(interrupt=False):
            super().write(data[: len(data) // 2])
            raise KeyboardInterrupt
        super().write(data)

    def _count(self, *, interrupt: bool = True) -> bool:
        self.at -= 1
        if self.at == 0 and interrupt:
            raise KeyboardInterrupt
        return self.at == 0


@pytest.mark.parametrize(
    ("kind", "at"), [*(("training", at) for at in range(1, 11, 2)), *(("predictions", at) for at in range(1, 27, 4))]
)
def test_interrupted_run_leaves_the_board_usable(kind: str, at: int) -> None:
    board = ProtocolBoard(small.BUILD)
    links: list[Interrupting] = []

    def open_link() -> Interrupting:
        links.append(Interrupting(board))
        return links[-1]

    session = Session(open_link, small.BUILD, timeout=1)
    session.load(small.model())
    samples = small.training(1, 1000) if kind == "training" else small.predictions(1, 300)
    links[0].at = at
    with pytest.raises(KeyboardInterrupt):
        session.feed(samples)
    done = session.identify().accepted
    assert done == board.accepted
    if kind == "training":
        session.feed(samples[done:])
    assert session.flush().shape == (0, 4)
    reference = Reference(small.BUILD, small.model())
    if kind == "training":
        reference.run(samples)
        reference.flush()
    assert_same(session.read(), reference)
    again = small.predictions(2, 30)
    scores = np.concatenate([session.feed(again), session.flush()])
    np.testing.assert_array_equal(scores, reference.scores(again.features))
    assert len(links) == 1


def test_a_reset_that_is_cut_says_nothing_about_the_model() -> None:
    """RESET is executed, and the link closes before its answer: the count of samples begins anew, what was loaded has
    been trained since, and that is no fault."""
    board = ProtocolBoard(small.BUILD)
    links = Cable(BoardLink(board))
    session = Session(links, small.BUILD, timeout=1)
    session.load(small.model())
    session.feed(small.training(1, 100))
    session.flush()
    execute = board._execute

    def cut_by_reset(operation: int, payload: bytes) -> tuple[int, bytes]:
        if operation == RESET:
            links.opened[0].cut_after = 0
        return execute(operation, payload)

    board._execute = cut_by_reset
    session.reset()
    assert len(links.opened) == 2
    reference = Reference(small.BUILD, small.model())
    reference.run(small.training(1, 100))
    reference.flush()
    assert_same(session.read(), reference)
