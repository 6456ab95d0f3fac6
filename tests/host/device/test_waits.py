"""Every wait ends, whatever a board sends: only growth is progress, and opening has a deadline in all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count, cycle, repeat

import pytest

from presparse.contract.build import Build
from presparse.contract.operations import Operation
from presparse.contract.wire import RunState, SampleKind, StoredRun
from presparse.device.patience import Patience
from presparse.device.session import Session
from presparse.errors import ArgumentError, DeviceFault, LinkClosed, LinkError, LinkTimeout
from tests.host import small
from tests.verification.fuzz.liar import LyingBoard, identity

BUILD = Build(network=small.NETWORK, result_capacity=4096, store_samples=100)
TIMEOUT, RETRIES = 0.5, 1
OPENING = Patience(timeout=TIMEOUT, retries=RETRIES).opening
RUN = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=2, count=50)

Answers = Mapping[Operation, Iterator[bytes]]


class InconstantBoard(LyingBoard):
    """Plausible, but for the operations whose next answer `answers` gives; each takes `seconds`. The link closes before
    the answer to an operation of `cuts`."""

    def __init__(self, answers: Answers, *, seconds: float = 0.0, cuts: tuple[Operation, ...] = ()) -> None:
        super().__init__(BUILD)
        self.answers, self.cuts = dict(answers), cuts
        self.opened = 0
        self._each, self._cut = seconds, False

    def open(self) -> InconstantBoard:
        self.opened += 1
        self._cut = False
        return self

    def read(self, limit: int, timeout: float) -> bytes:
        if self._cut:
            raise LinkClosed("cut")
        return super().read(limit, timeout)

    def _execute(self, sequence: int, operation: int, payload: bytes) -> None:
        self.seconds += self._each
        self._cut |= operation in self.cuts
        answers = self.answers.get(Operation(operation))
        self._answer(sequence, operation, 0, self._plausible(operation, payload) if answers is None else next(answers))


def opened(board: InconstantBoard) -> Session:
    return Session(board.open, BUILD, timeout=TIMEOUT, retries=RETRIES, first_sequence=0, clock=board)


def follow(session: Session) -> RunState:
    """To its end."""
    while (state := session.follow()).running:
        pass
    return state


def accepted(*counts: int) -> list[bytes]:
    return [replace(identity(BUILD), accepted=number).pack() for number in counts]


def states(*fed: int, running: bool = True) -> list[bytes]:
    return [RunState(running=running, fed=number, runs=1).pack() for number in fed]


def test_a_stale_result_every_now_and_then_at_opening() -> None:
    """4,096 results, one every 0.2 s, would take a quarter of an hour."""
    board = InconstantBoard(
        {Operation.IDENTIFY: cycle(accepted(5)), Operation.RESULTS: repeat(bytes(BUILD.result_bytes()))}, seconds=0.2
    )
    with pytest.raises(LinkTimeout, match=r"the board answers, and is not ready after 5 s: no end of RESULTS"):
        opened(board)
    assert board.seconds < OPENING + TIMEOUT


def test_a_run_of_somebody_else_that_does_not_stop_at_opening() -> None:
    board = InconstantBoard({Operation.RUN_STATE: cycle(states(1)), Operation.STOP: cycle(states(1))}, seconds=0.4)
    with pytest.raises(LinkError):
        opened(board)
    assert board.seconds < OPENING + TIMEOUT


def test_answers_to_others_at_opening() -> None:
    class Strays(InconstantBoard):
        def _execute(self, sequence: int, operation: int, payload: bytes) -> None:
            self.seconds += 0.2
            self._answer((sequence + 100) % 256, operation, 0, b"")

    board = Strays({})
    with pytest.raises(LinkTimeout, match=r"no answer to IDENTIFY .*, but \d+ to other requests; .* no other program"):
        opened(board)
    assert board.seconds < OPENING + TIMEOUT


def test_another_count_of_accepted_samples_at_each_reset() -> None:
    """RESET is cut off before its answer each time, and each time another count is found: that is no progress."""
    board = InconstantBoard({Operation.IDENTIFY: (accepted(n)[0] for n in count())})
    session = opened(board)
    board.cuts = (Operation.RESET,)
    with pytest.raises(LinkClosed):
        session.reset()
    assert board.opened == 1 + 5


@pytest.mark.parametrize(
    ("fed", "message"),
    [
        (cycle([1, 2]), "has fed 1 of 50 samples, and had fed 2 before"),
        (cycle([7]), "stands still after 7 of 50"),
        (cycle([0]), "stands still after 0 of 50"),
        (cycle([50]), "stands still after 50 of 50"),
        (cycle([3, 9, 60]), "has begun 1 runs"),
    ],
)
@pytest.mark.parametrize("seconds", [0.0, 0.4])
def test_a_run_must_grow(fed: Iterator[int], message: str, seconds: float) -> None:
    board = InconstantBoard({}, seconds=seconds)
    session = opened(board)
    session.begin(RUN)
    board.answers[Operation.RUN_STATE] = (states(number)[0] for number in fed)
    began = board.seconds
    with pytest.raises(DeviceFault, match=message):
        follow(session)
    assert board.seconds - began < 20 * TIMEOUT


def test_a_run_that_grows_is_waited_for() -> None:
    """However slowly: 50 samples, one in 0.4 s of half a second."""
    board = InconstantBoard({})
    session = opened(board)
    session.begin(RUN)
    board.answers[Operation.RUN_STATE] = iter(
        [states(number)[0] for number in range(50) for _ in range(4)] + states(50, running=False)
    )
    assert follow(session).fed == 50


def test_a_link_that_is_cut_again_and_again_without_progress() -> None:
    """The board says that it accepted all of the run, then again but one of it: that is no growth."""
    board = InconstantBoard({})
    session = opened(board)
    session.begin(RUN)
    board.answers |= {Operation.IDENTIFY: cycle(accepted(50)), Operation.RUN_STATE: cycle(states(1))}
    board.cuts = (Operation.RUN_STATE,)
    with pytest.raises((DeviceFault, LinkClosed)):
        follow(session)
    assert board.opened < 20


def test_many_reconnects_are_not_ever_further_apart() -> None:
    board = InconstantBoard({})
    session = Session(board.open, BUILD, timeout=TIMEOUT, reconnects=1000, first_sequence=0, clock=board)
    board.cuts = tuple(Operation)
    with pytest.raises(LinkClosed):
        session.counters()
    assert board.opened == 1001
    assert board.seconds < 1000 * 5.0 + 100


@pytest.mark.parametrize("name", ["timeout", "retries", "reconnects"])
@pytest.mark.parametrize("value", ["2", None, math.nan, math.inf, -math.inf, 1e12, -1, True, 2**40, 2**5000, [1], 1j])
def test_what_is_no_number_of_seconds_or_repeats(name: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=rf"{name}.* must be a (whole )?number, \S+ to \S+, and is") as raised:
        Session(lambda: LyingBoard(BUILD), BUILD, **{name: value})  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("timeout", 0), ("retries", 1.0), ("reconnects", 0.5), ("retries", 1001)])
def test_numbers_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=name):
        Patience(**{name: value})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("call", [lambda s: s.identify(), lambda s: s.read(), lambda s: s.reset(), lambda s: s.flush()])
def test_a_cancelled_session_is_closed(call: Callable[[Session], object]) -> None:
    board = InconstantBoard({})
    session = opened(board)
    session.cancel()
    with pytest.raises(LinkClosed, match="this device was closed; open it again"):
        call(session)
    assert board.opened == 1
