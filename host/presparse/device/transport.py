"""A sliding-window ARQ protocol: requests in flight, repeats when answers stay out, never a wait without an end.

Every request has a sequence number; the board executes each number once, in order, and answers a repeat again
(docs/protocol.md, Sequence numbers). So repeating is always safe: what was executed is not executed again.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from presparse.contract.operations import STATUSES, Operation, Status
from presparse.device.clock import Clock
from presparse.device.frames import Answer, AnswerReader, encode_request
from presparse.device.links.link import Link
from presparse.device.protocol import CLOSED
from presparse.errors import DeviceFault, LinkClosed, LinkCorrupt, LinkTimeout

_LOG = logging.getLogger(__name__)
_READ_LIMIT = 1 << 16
_LOOK = 0.1
"""Seconds of one read at most, so that whoever cancels need not wait longer."""
_WRITTEN_AT_ONCE = 1 << 14
"""Bytes that are handed to the link even if the window has room for more."""
_STARTS = 8
"""Sequence numbers tried for IDENTIFY: a late answer to an earlier session may have the first."""


@dataclass(slots=True)
class _Request:
    sequence: int
    operation: Operation
    frame: bytes
    deliver: Callable[[bytes], None] | None


class Transport:
    """Sends requests in order and delivers their answers in order.

    After any exception, KeyboardInterrupt included, what was in flight is unknown: call `start` before anything else.
    """

    def __init__(self, link: Link, *, first_sequence: int, timeout: float, retries: int, clock: Clock = time) -> None:
        self.link = link
        self.clock = clock
        self.timeout = timeout
        """Seconds without an answer after which all unanswered requests are sent again."""
        self.retries = retries
        """Repeats without progress after which a request fails."""
        self.cancelled = threading.Event()
        """Set by another thread: whatever waits ends with LinkClosed."""
        self.window = 1
        """Requests that may be unanswered; `start`'s caller sets what the board announces."""
        self.next_sequence = first_sequence
        self._unanswered: deque[_Request] = deque()
        self._outgoing: list[bytes] = []
        """Of these, frames that the link has not been given yet."""
        self._outgoing_bytes = 0
        self._reader = AnswerReader()
        self._deadline = 0.0
        """Of the oldest request."""
        self._whole = self._end = math.inf
        """Seconds for all requests together, however well each is answered, and when they are over."""
        self._repeats = 0
        """Since the last answer in order."""
        self._hurried = False
        """A repeat was already hurried by an answer out of order, since the last one in order."""
        self._damaged = self._strange = 0
        """The reader's counts at the last answer in order."""
        self._others = 0
        """Answers since then to requests that are none of these."""

    def start(self) -> bytes:
        """IDENTIFY: forget what was in flight and begin anew; returns the identity.

        Raises LinkTimeout, LinkCorrupt, LinkClosed, DeviceFault.
        """
        self._unanswered.clear()
        self._outgoing.clear()
        self._outgoing_bytes = 0
        self.window = 1
        end = self.clock.monotonic() + self.timeout
        while self._read(0) and self.clock.monotonic() < end:  # answers that nobody waits for any more
            pass
        self._reader.clear()
        for _ in range(_STARTS):
            identity: list[bytes] = []
            self.send(Operation.IDENTIFY, b"", identity.append, resynchronize=True)
            try:
                self.finish()
            except _OtherOperation:
                self._unanswered.clear()  # the number belongs to a request of an earlier session: take the next
                continue
            return identity[0]
        raise DeviceFault(
            f"the board answers IDENTIFY with the answers of other requests, {_STARTS} times; power-cycle it"
        )

    def send(
        self,
        operation: Operation,
        payload: bytes | memoryview = b"",
        deliver: Callable[[bytes], None] | None = None,
        *,
        resynchronize: bool = False,
    ) -> None:
        """Send a request as soon as the window allows; `deliver` gets its answer's payload, in order.

        Raises LinkTimeout, LinkCorrupt, LinkClosed, and DeviceFault if an awaited request was refused.
        """
        while len(self._unanswered) >= self.window:
            self.receive()
        # Frames are handed to the link together: as many as were answered together, or as many as pay.
        sequence = self.next_sequence
        self.next_sequence = (sequence + 1) % 256
        request = _Request(sequence, operation, encode_request(sequence, operation, payload), deliver)
        if not self._unanswered:
            self._expect()
        self._unanswered.append(request)
        # A delimiter first ends what an interrupted write may have left half-sent.
        self._outgoing.append(b"\0" + request.frame if resynchronize else request.frame)
        self._outgoing_bytes += len(request.frame)
        if len(self._unanswered) >= self.window or self._outgoing_bytes >= _WRITTEN_AT_ONCE:
            self._write()

    def request(self, operation: Operation, payload: bytes = b"") -> bytes:
        """Send a request, wait for it and all before it; returns its answer's payload. Raises as `send`."""
        answer: list[bytes] = []
        self.send(operation, payload, answer.append)
        self.finish()
        return answer[0]

    def wait(self, seconds: float) -> None:
        """Let time pass on the link: a simulated board's passes only while somebody reads."""
        self._write()
        self._reader.feed(self._read(seconds))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """All requests of the block together have so many seconds, however well each is answered: after them, they
        raise LinkTimeout."""
        outer = self._whole, self._end
        self._whole, self._end = seconds, self.clock.monotonic() + seconds
        try:
            yield
        finally:
            self._whole, self._end = outer

    def finish(self) -> None:
        """Wait until every request is answered. Raises as `send`."""
        while self._unanswered:
            self.receive()

    def receive(self) -> None:
        """Wait for the oldest request's answer, and deliver it and those that have come behind it. Raises as `send`."""
        self._write()
        while not self._take(self._next_answer()):
            pass
        while self._unanswered and (answer := self._reader.next()) is not None:
            self._take(answer)

    def _next_answer(self) -> Answer:
        """The next one, whatever request it answers; requests are repeated until one comes."""
        while (answer := self._reader.next()) is None:
            now = self.clock.monotonic()
            if now >= self._end:
                raise LinkTimeout(
                    f"the board answers, and is not ready after {self._whole:g} s: no end of "
                    f"{self._unanswered[0].operation.name}; power-cycle it, or give a longer timeout= if the link is "
                    "slow"
                )
            if now < self._deadline:
                self._reader.feed(self._read(min(self._deadline, self._end) - now))
            else:
                self._repeat()
        return answer

    def _take(self, answer: Answer) -> bool:
        """Deliver an answer if it is the oldest request's; whether it is."""
        oldest = self._unanswered[0]
        if answer.sequence != oldest.sequence:
            self._others += 1
            if not self._hurried and any(answer.sequence == r.sequence for r in self._unanswered):
                self._hurried = True  # answers come in order, so the oldest one's was lost: do not wait
                self._send_again()
            return False
        if answer.operation != oldest.operation:
            raise _OtherOperation(
                f"request {oldest.sequence} was {oldest.operation.name}, and the board answers operation "
                f"{answer.operation:#04x}; another program may be using it"
            )
        self._unanswered.popleft()
        self._expect()
        if answer.status != Status.OK:
            raise DeviceFault(_refusal(oldest.operation, answer.status))
        if oldest.deliver is not None:
            oldest.deliver(answer.payload)
        return True

    def _expect(self) -> None:
        """From now on the oldest request has all its time and repeats."""
        self._deadline = self.clock.monotonic() + self.timeout
        self._repeats = 0
        self._hurried = False
        self._damaged, self._strange, self._others = self._reader.damaged, self._reader.strange, 0

    def _read(self, seconds: float) -> bytes:
        """Bytes as soon as there are any; b"" after so many seconds. Raises LinkClosed if `cancelled` is set."""
        while True:
            if self.cancelled.is_set():
                raise LinkClosed(CLOSED)
            part = min(seconds, _LOOK)
            data = self.link.read(_READ_LIMIT, part)
            seconds -= part
            if data or seconds <= 0:
                return data

    def _repeat(self) -> None:
        oldest = self._unanswered[0].operation.name
        if self._repeats == self.retries:
            asked = f"asked {self.retries + 1} times, {self.timeout:g} s each"
            damaged, strange = self._reader.damaged - self._damaged, self._reader.strange - self._strange
            if damaged or strange > 0:
                raise LinkCorrupt(
                    f"no intact answer to {oldest} ({asked}), but {strange:,} strange bytes with {damaged:,} damaged "
                    f"frames; check the baud rate (baud=, or the bundle, must be the board's), that the port is the "
                    f"board's and not another device's, and the cable"
                )
            others = f", but {self._others:,} to other requests" if self._others else ""
            raise LinkTimeout(
                f"no answer to {oldest} ({asked}){others}; check that the board is programmed and has power, that this "
                f"is its port and no other program uses it, or give a longer timeout="
            )
        self._repeats += 1
        _LOG.info("no answer to %s in %g s: repeat %d of %d", oldest, self.timeout, self._repeats, self.retries)
        self._deadline = self.clock.monotonic() + self.timeout
        self._send_again()

    def _write(self) -> None:
        """Hand over what is to be sent."""
        if self._outgoing:
            data = b"".join(self._outgoing)
            self._outgoing.clear()
            self._outgoing_bytes = 0
            self.link.write(data)

    def _send_again(self) -> None:
        """All unanswered requests in order, after a delimiter that ends what the board may have half-received."""
        self.link.write(b"\0" + b"".join(r.frame for r in self._unanswered))


class _OtherOperation(DeviceFault):
    """An answer with the right number to another operation."""


def _refusal(operation: Operation, status: int) -> str:
    try:
        name, mend = Status(status).name, STATUSES[Status(status)].mend
    except ValueError:
        name, mend = f"status {status}", "host and board disagree about the protocol; build the board again"
    return f"the board refused {operation.name}: {name}; {mend}"
