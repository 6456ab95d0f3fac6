"""Boards that lie about counts: every call ends in time, with its result or a typed error, and once the board is honest
again, so is what it holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from cobs import cobs

from presparse.contract.operations import Operation
from presparse.contract.wire import Identity, RunState, SampleKind, StoredRun, crc
from presparse.device.frames import Answer, AnswerReader
from presparse.device.links.link import Link
from presparse.device.session import Session
from presparse.errors import DeviceFault, DeviceMismatch, LinkClosed, LinkError, PresparseError
from presparse.model import Model
from presparse_sim.board import open_link
from presparse_sim.campaigns.bounded import bounded
from presparse_sim.campaigns.builds import STORED, random_contents, random_model, random_samples
from presparse_sim.campaigns.row import Row
from presparse_sim.campaigns.twins import TIMEOUT, BoardTime, Mismatch

LONGEST = 30.0
"""Seconds of the board's time that a call may take: more than all its reconnects."""
_CALLS = 6
"""Of a session, before the next begins."""
_CUT = 0.03
"""Probability that the link closes instead of a read."""
_ALL = (SampleKind.TRAIN, SampleKind.PREDICT, SampleKind.EVALUATE)

Lie = Callable[[bytes], bytes]
"""What a board says instead of the payload of an answer."""


def lies(rng: np.random.Generator) -> Mapping[str, Mapping[Operation, Lie]]:
    """By name, what is said to which operations."""

    def identity(change: Callable[[Identity], dict[str, int]]) -> Mapping[Operation, Lie]:
        def told(payload: bytes) -> bytes:
            honest = Identity.unpack(payload)
            return replace(honest, **change(honest)).pack()  # pyright: ignore[reportArgumentType]

        return {Operation.IDENTIFY: told}

    def state(change: Callable[[RunState], dict[str, int]]) -> Mapping[Operation, Lie]:
        def told(payload: bytes) -> bytes:
            honest = RunState.unpack(payload)
            if not honest.runs:  # or no session would ever get as far as a run
                return payload
            return replace(honest, **change(honest)).pack()  # pyright: ignore[reportArgumentType]

        return {Operation.RUN_STATE: told, Operation.STOP: told}

    def any_count(most: int) -> int:
        return int(rng.integers(most))

    grown = 0

    def growing() -> int:
        nonlocal grown
        grown += 1 + any_count(3)
        return grown

    return {
        "another accepted": identity(lambda honest: {"accepted": any_count(1 << 32)}),
        "accepted grows": identity(lambda honest: {"accepted": growing()}),
        "accepted goes back": identity(lambda honest: {"accepted": max(0, honest.accepted - any_count(40))}),
        "another window": identity(lambda honest: {"window": any_count(1 << 16)}),
        "another capacity": identity(lambda honest: {"result_capacity": any_count(1 << 16), "accepted": 1}),
        "fed goes back": state(lambda honest: {"running": 1, "fed": max(0, honest.fed - any_count(3))}),
        "fed 1, 2, 1, 2": state(lambda honest: {"running": 1, "fed": 1 + any_count(2)}),
        "fed stands still": state(lambda honest: {"running": 1, "fed": min(honest.fed, 3)}),
        "fed too much": state(lambda honest: {"fed": honest.fed + any_count(300)}),
        "another run": state(lambda honest: {"runs": any_count(1 << 32)}),
        "never running": state(lambda honest: {"running": 0}),
        "stale results": {Operation.RESULTS: lambda payload: payload or bytes(STORED.result_bytes())},
        "half a result": {Operation.RESULTS: lambda payload: payload + b"\1"},
        "no results": {Operation.RESULTS: lambda payload: b""},
        "fewer words": {Operation.READ: lambda payload: payload[: 4 * any_count(len(payload) // 4 + 1)]},
        "other counters": {Operation.READ: lambda payload: bytes(len(payload))},
    }


class LyingLink:
    """Passes what the host says on to `link`, and instead of its answers what `told` makes of them.

    With the probability `cut`, the link closes instead of a read; `close` leaves `link` open.
    """

    def __init__(self, link: Link, told: Mapping[Operation, Lie], rng: np.random.Generator, cut: float) -> None:
        self.lied = 0
        """Answers that were changed."""
        self._link, self._told, self._rng, self._cut = link, told, rng, cut
        self._reader = AnswerReader()
        self._said = b""
        self._closed = False

    def write(self, data: bytes) -> None:
        self._check()
        self._link.write(data)

    def read(self, limit: int, timeout: float) -> bytes:
        self._closed |= self._rng.random() < self._cut
        self._check()
        if not self._said:
            self._reader.feed(self._link.read(limit, timeout))
            while (answer := self._reader.next()) is not None:
                self._said += self._instead(answer)
        data, self._said = self._said[:limit], self._said[limit:]
        return data

    def close(self) -> None:
        self._closed = True

    def _instead(self, answer: Answer) -> bytes:
        payload = answer.payload
        lie = self._told.get(Operation(answer.operation))
        if lie is not None and not answer.status:
            payload = lie(payload)
            self.lied += payload != answer.payload
        body = bytes([answer.sequence, answer.operation, answer.status]) + payload
        return cobs.encode(body + crc(body)) + b"\0"

    def _check(self) -> None:
        if self._closed:
            raise LinkClosed("the link was cut")


def boards_that_lie(sessions: int, seed: int, told: Callable[[int], None] = lambda sessions: None) -> Row:
    """So many sessions, each with a board that tells one of the lies, with cuts and without."""
    row, began, rng = Row(fault="lies about counts"), time.monotonic(), np.random.default_rng(seed)
    board = open_link(STORED)
    clock = BoardTime(board)
    names = list(lies(rng))
    for number in range(sessions):
        name = names[number % len(names)]
        link = LyingLink(board, lies(rng)[name], rng, cut=_CUT * (number // len(names) % 2))
        try:
            with bounded():
                _lied_to(row, link, clock, rng)
                _honest(row, board, clock, rng)
        except (Mismatch, PresparseError) as error:
            row.mismatches.append(f"{name}, seed {seed}, session {number}: {error}")
        row.frames += link.lied
        row.faulted += link.lied
        told(number + 1)
    board.close()
    row.seconds = time.monotonic() - began
    return row


def _lied_to(row: Row, link: LyingLink, clock: BoardTime, rng: np.random.Generator) -> None:
    """Some calls. Raises Mismatch if one takes too long, and what is none of a link's or a device's errors."""
    session: Session | None = None
    model = random_model(rng, STORED.network)
    contents = random_contents(rng, STORED, 60)
    run = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=contents.slot, count=60, seed=3)

    def reopen() -> LyingLink:
        link._closed = False
        return link

    def play(session: Session) -> None:
        session.store(contents)
        session.begin(run)
        while session.follow().running:
            pass

    calls: list[Callable[[Session], object]] = [
        lambda session: session.load(model),
        lambda session: session.feed(random_samples(rng, STORED, 60, _ALL)),
        lambda session: session.flush(),
        lambda session: session.reset(),
        lambda session: session.read(),
        lambda session: session.counters(),
        lambda session: session.stop(),
        play,
        play,
    ]
    for _ in range(_CALLS):
        began = clock.monotonic()
        try:
            if session is None:
                row.sessions += 1
                session = Session(reopen, STORED, timeout=TIMEOUT, first_sequence=int(rng.integers(256)), clock=clock)
            calls[int(rng.integers(len(calls)))](session)
        except (LinkError, DeviceFault, DeviceMismatch) as error:
            row.errors[type(error).__name__] += 1
        if (took := clock.monotonic() - began) > LONGEST:
            raise Mismatch(f"a call took {took:.0f} s of the board's time, and may take {LONGEST:g}")


def _honest(row: Row, board: Link, clock: BoardTime, rng: np.random.Generator) -> None:
    """The board as it is: what is loaded is held. Raises Mismatch."""
    model: Model = random_model(rng, STORED.network)
    session = Session(lambda: board, STORED, timeout=TIMEOUT, first_sequence=int(rng.integers(256)), clock=clock)
    session.reset()
    session.load(model)
    held = session.read()
    row.compared += sum(map(partial(np.size), (*held.left, *held.weights, *held.biases)))
    for own, other in zip(
        (*held.left, *held.weights, *held.biases), (*model.left, *model.weights, *model.biases), strict=True
    ):
        if not np.array_equal(own, other):
            raise Mismatch("the board holds another model than was loaded, although it is honest again")
