"""Threads that share one device: calls queue up, a training is not waited for, `close` ends everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from presparse.accelerator import Accelerator
from presparse.device.session import Session
from presparse.errors import DeviceInUse, LinkClosed, PresparseError
from presparse.history import Progress
from presparse.reference.emulator import Emulator
from tests.host import small
from tests.host.device.protocol_board import BoardLink, ProtocolBoard

X, Y = small.clusters(1, 60)
LONG = 1_000_000
"""Epochs that nobody waits for."""


class OneThreadLink(BoardLink):
    """Notices two threads at once."""

    def __init__(self, board: ProtocolBoard) -> None:
        super().__init__(board)
        self.crowded = False
        self._inside: int | None = None

    def read(self, limit: int, timeout: float) -> bytes:
        self.crowded |= self._inside not in (None, threading.get_ident())
        self._inside = threading.get_ident()
        try:
            return super().read(limit, timeout)
        finally:
            self._inside = None


def on_board() -> Accelerator:
    board = ProtocolBoard(small.BUILD)
    return Accelerator(Session(lambda: BoardLink(board), small.BUILD))


def on_emulator() -> Accelerator:
    return Accelerator(Emulator(small.BUILD))


@pytest.fixture(params=[on_board, on_emulator], ids=["board", "emulator"])
def board(request: pytest.FixtureRequest) -> Accelerator:
    made = request.param()
    made.load(small.model())
    return made


def test_six_threads_predict_what_one_does() -> None:
    link = OneThreadLink(ProtocolBoard(small.BUILD))
    board = Accelerator(Session(lambda: link, small.BUILD))
    board.load(small.model())
    expected = board.predict(X)
    with ThreadPoolExecutor(6) as threads:
        found = [threads.submit(board.predict, X) for _ in range(18)]
        models = [threads.submit(board.read_model) for _ in range(6)]
    for one in found:
        np.testing.assert_array_equal(one.result(), expected)
    assert all(not one.result().differences(small.model()) for one in models)
    assert not link.crowded


@pytest.mark.parametrize("seed", range(3))
def test_six_threads_that_train_and_predict_end_with_results_or_in_use(board: Accelerator, seed: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: board.fit(X, Y, epochs=1, lr=2**-5),
        lambda: board.predict(X),
        board.read_model,
    ]
    with ThreadPoolExecutor(6) as threads:
        ends = [threads.submit(calls[(i + seed) % 3]) for i in range(30)]
    assert {type(end.exception()) for end in ends} <= {type(None), DeviceInUse}
    board.predict(X)


def training(board: Accelerator, threads: ThreadPoolExecutor) -> Future[object]:
    """One that is under way."""
    begun = threading.Event()

    def told(progress: Progress) -> None:
        begun.set()

    future: Future[object] = threads.submit(lambda: board.fit(X, Y, epochs=LONG, lr=2**-5, progress=told))
    assert begun.wait(30)
    return future


def test_a_training_is_not_waited_for_and_close_ends_it(board: Accelerator) -> None:
    with ThreadPoolExecutor(1) as threads:
        fit = training(board, threads)
        for call in (lambda: board.predict(X), board.read_model, lambda: board.fit(X, Y), board.identify):
            with pytest.raises(DeviceInUse, match="the device is training in another thread; wait for the end"):
                call()
        began = time.monotonic()
        board.close()
        assert isinstance(fit.exception(10), LinkClosed)
        assert time.monotonic() - began < 5


def test_close_ends_a_wait_for_an_answer() -> None:
    silent = ProtocolBoard(small.BUILD)
    board = Accelerator(Session(lambda: BoardLink(silent), small.BUILD, timeout=60))
    board.load(small.model())
    silent.mute = True
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(board.predict, X), threads.submit(board.counters), threads.submit(board.read_model)]
        time.sleep(0.2)
        began = time.monotonic()
        board.close()
        board.close()
        for call in calls:
            with pytest.raises(LinkClosed, match="this device was closed; open it again"):
                call.result(10)
        assert time.monotonic() - began < 5


def test_close_ends_a_reconnect() -> None:
    """And no link is opened behind it."""
    silent = ProtocolBoard(small.BUILD)
    links: list[BoardLink] = []

    def open_link() -> BoardLink:
        if links:
            raise LinkClosed("nobody is there")
        links.append(BoardLink(silent))
        return links[0]

    board = Accelerator(Session(open_link, small.BUILD, reconnects=1000))
    links[0].close()
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(board.identify)
        time.sleep(0.5)
        board.close()
        assert isinstance(call.exception(5), LinkClosed)


def test_a_callback_uses_the_device_in_its_turn(board: Accelerator) -> None:
    counted: list[int] = []
    board.fit(X, Y, epochs=2, lr=2**-5, progress=lambda progress: counted.append(board.counters()["trained"]))
    assert counted[-1] == 120


def test_a_callback_may_wait_for_another_thread(board: Accelerator) -> None:
    """Which then does not wait for the training, or both would for ever."""
    refused: list[type[BaseException | None]] = []

    def told(progress: Progress) -> None:
        with ThreadPoolExecutor(1) as threads:
            error = threads.submit(board.counters).exception()
            refused.append(type(error))

    board.fit(X, Y, epochs=1, lr=2**-5, progress=told)
    assert set(refused) == {DeviceInUse}


def test_a_callback_may_close(board: Accelerator) -> None:
    with pytest.raises(LinkClosed, match="closed; open it again"):
        board.fit(X, Y, epochs=LONG, lr=2**-5, progress=lambda progress: board.close())


def test_a_callback_may_wait_for_a_thread_that_closes(board: Accelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("presparse.device.turns.CLOSING", 0.2)

    def told(progress: Progress) -> None:
        with ThreadPoolExecutor(1) as threads:
            threads.submit(board.close).result()

    with pytest.raises(LinkClosed):
        board.fit(X, Y, epochs=LONG, lr=2**-5, progress=told)


CALLS: list[Callable[[Accelerator], object]] = [
    lambda b: b.load(small.model()),
    lambda b: b.adopt(small.model()),
    lambda b: b.read_model(),
    lambda b: b.predict(X),
    lambda b: b.predict_proba(X),
    lambda b: b.decision_function(X),
    lambda b: b.raw_outputs(X),
    lambda b: b.score(X, Y),
    lambda b: b.store(X, Y),
    lambda b: b.fit(X, Y),
    lambda b: b.partial_fit(X, Y),
    lambda b: b.identify(),
    lambda b: b.counters(),
    lambda b: b.clear_counters(),
]


@pytest.mark.parametrize("call", CALLS)
def test_what_is_closed_is_closed_everywhere(board: Accelerator, call: Callable[[Accelerator], object]) -> None:
    """The emulator as well as a board."""
    board.close()
    board.close()
    with pytest.raises(LinkClosed, match="this device was closed; open it again"):
        call(board)
    assert board.network == small.NETWORK


def test_close_may_come_at_any_time() -> None:
    """Every call ends with its result or LinkClosed, whenever `close` comes."""
    for pause in (0.0, 0.001, 0.01, 0.05):
        board = on_board()
        board.load(small.model())

        def use(board: Accelerator = board) -> None:
            with suppress(LinkClosed):
                for _ in range(1000):
                    board.predict(X[:3])

        with ThreadPoolExecutor(4) as threads:
            ends = [threads.submit(use) for _ in range(4)]
            time.sleep(pause)
            board.close()
        assert [end.exception() for end in ends] == [None] * 4
        with pytest.raises(PresparseError):
            board.predict(X)
