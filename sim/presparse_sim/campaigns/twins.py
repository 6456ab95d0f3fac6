"""Lockstep comparison of a board behind a bad link with the reference: what one is told, the other is told, and in the
end both hold the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse.contract.store import Contents
from presparse.contract.wire import StoredRun
from presparse.device.clock import Clock
from presparse.device.links.link import Link
from presparse.device.session import Session
from presparse.errors import LinkError
from presparse.model import Model
from presparse.reference.emulator import Emulator
from presparse.reference.native.native_reference import NativeReference
from presparse_sim.board import SimulatedBoard
from presparse_sim.campaigns.builds import random_model

T = TypeVar("T")

TIMEOUT = 0.004
"""Seconds (of the board's time: 4,000 cycles) per answer: more than four of the longest frames take."""
RECOVERIES = 200
"""Attempts to reach a board again, after which it counts as lost."""
_MODULUS = 1 << 32


class Mismatch(Exception):
    """Board and reference hold different things."""


class BoardTime:
    """The time of a simulated board; nothing happens while the host sleeps."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self._slept = 0.0

    def monotonic(self) -> float:
        return self._board.cycles / self._board.clock_hz + self._slept

    def sleep(self, seconds: float, /) -> None:
        self._slept += seconds


class Twins:
    """One board through any number of sessions.

    An error of the link may end any call: then the board is asked how many samples it accepted, the reference is
    given exactly those, both are flushed, and the rest follows.

    Parameters
    ----------
    open_link : a link to the board; called for every session and after every cut
    clock : the board's time, or that of the way there
    rng : of first models and first sequence numbers
    reconnects : how often a session opens a link again by itself; with 0, another session goes on after every error
    timeout : seconds per answer
    """

    def __init__(
        self,
        build: Build,
        open_link: Callable[[], Link],
        clock: Clock,
        rng: np.random.Generator,
        *,
        reconnects: int = 5,
        timeout: float = TIMEOUT,
    ) -> None:
        self.build, self.rng, self.clock = build, rng, clock
        self.errors: Counter[str] = Counter()
        """Errors of the link that reached the user, by type."""
        self.longest = 0.0
        """Seconds (of `clock`) that a call took at most."""
        self.sessions = 0
        """Sessions that were begun."""
        self.compared = 0
        """Scores, weights, biases and counters that were compared."""
        self._open_link, self._reconnects, self._timeout = open_link, reconnects, timeout
        self._reference = Emulator(build, reference=NativeReference)
        self._stored: Contents | None = None
        self._scores: list[NDArray[np.int64]] = []
        self._expected: list[NDArray[np.int64]] = []
        self._accepted = 0
        self._open_session: Session | None = None
        model = random_model(rng, build.network)
        self._retry(lambda: self._session.load(model))
        self._reference.load(model)

    # What both are told

    def load(self, model: Model) -> None:
        self._persist(lambda: self._session.load(model))
        self._reference.load(model)

    def feed(self, samples: Samples) -> None:
        """Samples over the link."""
        while len(samples):
            try:
                self._scores.append(self._timed(partial(self._session.feed, samples)))
                took = len(samples)
                self._expected.append(self._reference.feed(samples))
            except LinkError as error:
                took = self._taken(error)
                self._reference.feed(samples[:took])
                self._forget_scores()
            self._accepted += took
            samples = samples[took:]

    def flush(self) -> None:
        """Compares all scores since the last flush."""
        try:
            self._scores.append(self._timed(lambda: self._session.flush()))
        except LinkError as error:
            self._taken(error)
            self._forget_scores()
            return
        self._expected.append(self._reference.flush())
        self._compare("scores", np.concatenate(self._scores), np.concatenate(self._expected))
        self._scores, self._expected = [], []

    def store(self, contents: Contents) -> None:
        self._persist(lambda: self._session.store(contents))
        self._reference.store(contents)
        self._stored = contents

    def play(self, run: StoredRun, stop_after: int) -> None:
        """A run over stored samples, stopped after so many looks at it."""
        assert self._stored is not None
        self.flush()
        try:
            self._timed(lambda: self._session.begin(run))
            for _ in range(stop_after):
                if not self._timed(lambda: self._session.follow()).running:
                    break
            fed = self._timed(lambda: self._session.stop()).fed
        except LinkError as error:
            fed = self._taken(error)
            self._reference.feed(self._stored.samples(run)[:fed])
            self._forget_scores()
        else:
            self._reference.feed(self._stored.samples(run)[:fed])
            self._reference.flush()
        self._accepted += fed

    def clear_counters(self) -> None:
        self.flush()
        self._persist(lambda: self._session.clear_counters())
        self._reference.clear_counters()

    def reset(self) -> None:
        self.flush()
        self._persist(lambda: self._session.reset())
        self._reference.reset()
        self._accepted = 0

    def reconnect(self) -> None:
        """Another host goes on with the board."""
        self._open_session = None
        self._forget_scores()

    # What both must hold

    def compare(self) -> None:
        """Everything: scores, the pattern, weights, biases, counters, how many samples. Raises Mismatch."""
        self.flush()
        held, expected = self._persist(lambda: self._session.read()), self._reference.read()
        for kind in ("left", "weights", "biases"):
            for junction, (own, other) in enumerate(zip(getattr(held, kind), getattr(expected, kind), strict=True), 1):
                self._compare(f"{kind} of junction {junction}", own, other)
        counters, counted = self._persist(lambda: self._session.counters()), self._reference.counters()
        for counter, count in counted.items():
            if counter != "blocks":  # a session flushes once more after a cut
                self._compare(f"counter {counter}", np.array(counters[counter]), np.array(count))
        accepted = self._persist(lambda: self._session.identify()).accepted
        self._compare("accepted samples", np.array(accepted), np.array(self._accepted % _MODULUS))

    def _compare(self, what: str, own: NDArray[np.integer], other: NDArray[np.integer]) -> None:
        self.compared += own.size
        if own.shape != other.shape:
            raise Mismatch(f"{what}: the board has shape {own.shape}, and the reference {other.shape}")
        if (own != other).any():
            at = tuple(int(i) for i in np.argwhere(own != other)[0])
            raise Mismatch(f"{what}, index {at}: the board has {own[at]}, and the reference {other[at]}")

    # Errors

    @property
    def _session(self) -> Session:
        """Opened if there is none. Raises LinkError."""
        if self._open_session is None:
            self.sessions += 1
            self._open_session = Session(
                self._open_link,
                self.build,
                timeout=self._timeout,
                reconnects=self._reconnects,
                first_sequence=int(self.rng.integers(256)),
                clock=self.clock,
            )
        return self._open_session

    def _failed(self, error: LinkError) -> None:
        self.errors[type(error).__name__] += 1
        if not self._reconnects:
            self._open_session = None

    def _persist(self, action: Callable[[], T]) -> T:
        """Do what may be done twice, until the link lets it through."""
        errors = self.errors.total()
        result = self._retry(action)
        if self.errors.total() > errors:
            self._forget_scores()
        return result

    def _taken(self, error: LinkError) -> int:
        """After an error: how many samples the board has accepted that the reference was not given."""
        self._failed(error)
        accepted = self._retry(lambda: self._session.identify()).accepted
        return (accepted - self._accepted) % _MODULUS

    def _forget_scores(self) -> None:
        """An error loses scores, and may have come before a flush or behind it: both flush."""
        self._retry(lambda: self._session.flush())
        self._reference.flush()
        self._scores, self._expected = [], []

    def _retry(self, action: Callable[[], T]) -> T:
        for _ in range(RECOVERIES):
            try:
                return self._timed(action)
            except LinkError as error:
                self._failed(error)
        raise Mismatch(f"the board cannot be reached any more: {RECOVERIES} attempts failed")

    def _timed(self, action: Callable[[], T]) -> T:
        began = self.clock.monotonic()
        try:
            return action()
        finally:
            self.longest = max(self.longest, self.clock.monotonic() - began)
