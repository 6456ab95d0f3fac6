"""Fault injection: a link that harms what passes, frame by frame, as a bad cable would, to test both ends."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from presparse.device.clock import Clock
from presparse.device.links.link import Link
from presparse.errors import LinkClosed

Fault = Literal["flip", "drop", "duplicate", "insert", "truncate", "delay", "cut"]
"""Bits of a frame change; bytes (or all) of it are lost, or come twice; strange bytes come in between; its end is
lost, delimiter and all; it and all behind it come later; the link closes in the middle of it."""

FAULTS: tuple[Fault, ...] = get_args(Fault)
DAMAGE: tuple[Fault, ...] = ("flip", "drop", "duplicate", "insert", "truncate")
"""Faults that no link notices."""

_REMEMBERED = 64
"""Frames of the host among which a repeat is recognized."""


class Faults:
    """What happens to frames, and what has happened: one object for all links to a board, one after the other.

    Parameters
    ----------
    rng : chooses everything; the same seed and the same bytes give the same faults
    probability : that a frame, of either direction, is struck
    kinds : what by, each as likely as the others
    delay : longest, in seconds
    """

    def __init__(
        self,
        rng: np.random.Generator,
        probability: float,
        kinds: tuple[Fault, ...] = DAMAGE,
        *,
        delay: float = 0.01,
    ) -> None:
        self.rng, self.probability, self.kinds, self.delay = rng, probability, kinds, delay
        self.frames = 0
        """Frames that came by, both ways."""
        self.struck: Counter[Fault] = Counter()
        """Frames that were struck, by kind."""
        self.repeated = 0
        """Frames that the host sent again."""
        self._sent: deque[bytes] = deque(maxlen=_REMEMBERED)

    def choose(self) -> Fault | None:
        """What happens to the next frame."""
        self.frames += 1
        if self.rng.random() >= self.probability:
            return None
        kind = self.kinds[int(self.rng.integers(len(self.kinds)))]
        self.struck[kind] += 1
        return kind

    def sent(self, frame: bytes) -> None:
        """Take note of a frame of the host."""
        self.repeated += frame in self._sent
        self._sent.append(frame)

    def harm(self, kind: Fault, frame: bytes) -> bytes:
        """What is left of a frame (with its delimiter), for the kinds in DAMAGE; for "cut", what passes before."""
        place = int(self.rng.integers(len(frame)))
        # A third of what is lost or doubled is the whole frame.
        start, end = (0, len(frame)) if self.rng.random() < 1 / 3 else (place, place + int(self.rng.integers(1, 9)))
        if kind == "flip":
            flipped = bytearray(frame)
            for _ in range(int(self.rng.integers(1, 4))):
                flipped[int(self.rng.integers(len(frame)))] ^= 1 << int(self.rng.integers(8))
            return bytes(flipped)
        if kind == "drop":
            return frame[:start] + frame[end:]
        if kind == "duplicate":
            return frame[:end] + frame[start:]
        if kind == "insert":
            strange = bytes(self.rng.integers(256, size=int(self.rng.integers(1, 9)), dtype=np.uint8))
            return frame[:place] + (strange if self.rng.random() < 0.5 else b"\0") + frame[place:]
        return frame[:place]


class FaultyLink:
    """Passes frames on to `link`, and back, as `faults` leave them. While there are faults, bytes wait for the end of
    their frame. `close` leaves `link` open, as a cable that is pulled leaves the board on.

    `clock` is the time of delays. Raises LinkClosed from a cut on.
    """

    def __init__(
        self, link: Link, faults: Faults | None = None, *, cut_after: int | None = None, clock: Clock = time
    ) -> None:
        self.link = link
        self.faults = faults
        """Can be exchanged at any time; None: everything passes."""
        self.cut_after = cut_after
        """Bytes, in both directions together, after which the link closes; can be set at any time."""
        self._clock = clock
        self.closed = False
        self._to_board = _Way(clock)
        self._to_host = _Way(clock)

    def write(self, data: bytes) -> None:
        self._check()
        self._pass(self._to_board, data, self.faults.sent if self.faults is not None else None)
        self._deliver()

    def read(self, limit: int, timeout: float) -> bytes:
        end = self._clock.monotonic() + timeout
        while True:
            self._deliver()
            if data := self._to_host.take(limit):
                return data
            self._check()
            left = end - self._clock.monotonic()
            wait = max(0.0, min(left, self._to_board.next_in(), self._to_host.next_in()))
            came = self.link.read(limit, wait)
            self._pass(self._to_host, came)
            if not came and left <= wait:
                self._deliver()
                return self._to_host.take(limit)

    def close(self) -> None:
        self.closed = True

    def _deliver(self) -> None:
        if data := self._to_board.take():
            self.link.write(data)

    def _pass(self, way: _Way, data: bytes, told: Callable[[bytes], None] | None = None) -> None:
        if self.cut_after is not None:
            data = data[: self.cut_after]
            self.cut_after -= len(data)
        if self.faults is None:
            way.put(way.rest + data)
            way.rest = b""
            return
        *frames, way.rest = (way.rest + data).split(b"\0")
        for content in frames:
            frame = content + b"\0"
            if not content:  # a delimiter more
                way.put(frame)
                continue
            if told is not None:
                told(frame)
            fault = self.faults.choose()
            if fault == "delay":
                way.hold_up(float(self.faults.rng.uniform(0, self.faults.delay)))
            way.put(frame if fault in (None, "delay") else self.faults.harm(fault, frame))
            if fault == "cut":
                self.cut_after, way.rest = 0, b""
                return

    def _check(self) -> None:
        if self.cut_after == 0:
            self.closed = True
        if self.closed:
            raise LinkClosed("the link was cut")


class _Way:
    """One direction: pieces in order, none before its time."""

    def __init__(self, clock: Clock) -> None:
        self.rest = b""
        """Of a frame whose end has not come."""
        self._clock = clock
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._earliest = 0.0

    def hold_up(self, seconds: float) -> None:
        """What is put in from now on comes out after the last, and not before so many seconds."""
        self._earliest = max(self._earliest, self._clock.monotonic()) + seconds

    def put(self, data: bytes) -> None:
        if data:
            self._pieces.append((self._earliest, data))

    def take(self, limit: int = 1 << 30) -> bytes:
        """At most `limit` bytes of what is due."""
        due, now = b"", self._clock.monotonic()
        while self._pieces and self._pieces[0][0] <= now and len(due) < limit:
            earliest, piece = self._pieces.popleft()
            room = limit - len(due)
            due += piece[:room]
            if piece[room:]:
                self._pieces.appendleft((earliest, piece[room:]))
        return due

    def next_in(self) -> float:
        """Seconds until something is due; infinite if nothing waits."""
        return self._pieces[0][0] - self._clock.monotonic() if self._pieces else float("inf")
