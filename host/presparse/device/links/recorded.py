"""Record and replay of sessions: a `Recorder` writes down all that a host hears of a board, and a `Replayer` is that
board.

A recording is lines of JSON. The first describes it (`Heading`); each of the others is one of

    {"to_board": "02ff..."}   bytes that the host wrote, in hexadecimal
    {"to_host": "04a1..."}    bytes that a read gave; "" if none came in time
    {"time": 1.25}            what the clock said when the host looked at it: seconds since the session began
    {"opened": true}          the link was opened (again)
    {"failed": "LinkClosed", "message": "..."}   the link refused to be opened, read or written

Since the clock is recorded too, the host does the same again, repeats and pauses included, and waits for nothing.
"""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field, ValidationError

from presparse.contract.build import Build
from presparse.contract.description import Description, problems, shortened
from presparse.contract.errors import PresparseError
from presparse.device.clock import Clock
from presparse.device.links.link import Link
from presparse.device.patience import LEAST_TIMEOUT, MOST_RETRIES, MOST_TIMEOUT
from presparse.errors import DeviceInUse, LinkClosed, LinkError, LinkTimeout, RecordingError
from presparse.support import atomic_files

VERSION = 2
"""Changes whenever an older Presparse would misread a recording."""

_FAILURES: Mapping[str, type[LinkError]] = {
    failure.__name__: failure for failure in (LinkClosed, DeviceInUse, LinkTimeout)
}
"""What a link may raise."""
_TICK = 1e-6
"""Seconds that pass when the clock is looked at more often than it was then."""
_LONGEST = 1e9
"""Seconds that no session lasts."""
_LONGEST_LINE = 1 << 20
"""Characters: several times what a window of requests takes."""


class Heading(Description):
    """What was recorded, and how its session began."""

    refusal: ClassVar[type[PresparseError]] = RecordingError

    presparse_recording: int
    device: str = Field(description="as it was opened, such as serial:/dev/ttyUSB0")
    remark: str = Field(default="", description="for people: where it comes from")
    build: Build
    first_sequence: int = Field(ge=0, le=255)
    timeout: float = Field(ge=LEAST_TIMEOUT, le=MOST_TIMEOUT, description="seconds per answer")
    retries: int = Field(ge=0, le=MOST_RETRIES)


class Recorder:
    """Passes everything on between a session and the links that `open_link` opens, and writes it down as it happens.

    It is the session's clock, too. An existing file is replaced. Raises OutputError if the file cannot be made, and
    RecordingError if it cannot be written any more.
    """

    def __init__(
        self,
        path: str | Path,
        open_link: Callable[[], Link],
        build: Build,
        *,
        device: str,
        timeout: float,
        retries: int,
        remark: str = "",
        clock: Clock = time,
    ) -> None:
        self.heading = Heading(
            presparse_recording=VERSION,
            device=device,
            remark=remark,
            build=build,
            first_sequence=secrets.randbelow(256),
            timeout=timeout,
            retries=retries,
        )
        self._path, self._open_link, self._clock = Path(path), open_link, clock
        self._began = clock.monotonic()
        atomic_files.write(self._path, self.heading.model_dump_json() + "\n")
        self._file = self._path.open("a", encoding="ascii")

    def open(self) -> Link:
        """The next link. Raises what `open_link` raises."""
        with self.noted():
            link = self._open_link()
        self.note(opened=True)
        return _RecordedLink(link, self)

    def monotonic(self) -> float:
        seconds = round(self._clock.monotonic() - self._began, 6)
        self.note(time=seconds)
        return seconds

    def sleep(self, seconds: float, /) -> None:
        self._clock.sleep(seconds)

    def note(self, **event: object) -> None:
        """A line of the recording."""
        try:
            if self._file.closed:
                self._file = self._path.open("a", encoding="ascii")
            print(json.dumps(event), file=self._file)
        except OSError as error:
            raise self._unwritable(error) from error

    @contextmanager
    def noted(self) -> Iterator[None]:
        """A link that fails in this block: that, too."""
        try:
            yield
        except (LinkClosed, LinkTimeout) as error:
            self.note(failed=type(error).__name__, message=str(error))
            raise

    def pause(self) -> None:
        """The link is closed; another may follow."""
        try:
            self._file.close()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RecordingError:
        return RecordingError(
            f"{self._path}: the recording cannot be written any more ({error.strerror or error}); make room, and "
            f"record the session again"
        )


class _RecordedLink:
    def __init__(self, link: Link, recorder: Recorder) -> None:
        self._link, self._recorder = link, recorder

    def write(self, data: bytes) -> None:
        self._recorder.note(to_board=data.hex())
        with self._recorder.noted():
            self._link.write(data)

    def read(self, limit: int, timeout: float) -> bytes:
        with self._recorder.noted():
            data = self._link.read(limit, timeout)
        self._recorder.note(to_host=data.hex())
        return data

    def close(self) -> None:
        self._link.close()
        self._recorder.pause()


@dataclass
class _Event:
    line: int
    to_board: bytes | None = None
    to_host: bytes | None = None
    time: float | None = None
    opened: bool = False
    failed: LinkError | None = None


class Replayer:
    """The board of a recording: the link to it, and its clock. It answers as it did, as long as the host writes
    exactly what it wrote then.

    Bytes count, not how they were cut into writes and reads. Raises RecordingError for a file that is no recording, and
    at the first byte that differs.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        lines = _lines(self.path)
        self.heading = _heading(self.path, lines)
        self._events = (_event(self.path, number, line) for number, line in lines)
        self._next: _Event | None = None
        self._answers = b""
        """What the board had said before the host wrote, and the host has not read yet."""
        self._now = 0.0
        self._frame, self._byte = 1, 0
        """Where the host is in what it writes; frames count from 1, bytes of a frame from 0."""
        self._go_on()

    @property
    def finished(self) -> bool:
        """The host has written and read everything that was recorded."""
        while self._next is not None and not self._next.to_board and not self._next.to_host:
            self._go_on()
        return self._next is None and not self._answers

    def open(self) -> Link:
        """Raises LinkClosed where the recorded link could not be opened."""
        event = self._after_times()
        if event is not None and event.failed:
            self._go_on()
            raise event.failed
        if event is not None and event.opened:
            self._go_on()
        return self

    def write(self, data: bytes) -> None:
        while data:
            event = self._next_write(data[0])
            assert event.to_board is not None
            length = min(len(data), len(event.to_board))
            own, recorded = data[:length], event.to_board[:length]
            if own != recorded:
                at = next(i for i in range(length) if own[i] != recorded[i])
                self._pass(own[:at])
                raise RecordingError(
                    f"{self.path}, line {event.line}: byte {self._byte} of the host's frame {self._frame} is "
                    f"{own[at]:#04x}, and was {recorded[at]:#04x} when the session was recorded; record it again if "
                    f"that is intended"
                )
            self._pass(own)
            event.to_board, data = event.to_board[length:], data[length:]
            if not event.to_board:
                self._go_on()

    def read(self, limit: int, timeout: float) -> bytes:
        event = self._after_times()
        if not self._answers and event is not None:
            if event.failed:
                self._go_on()
                raise event.failed
            if event.to_host is None:  # the host waits where it did not wait then
                self._now += timeout
            else:
                self._answers = event.to_host
                self._go_on()
        elif not self._answers:
            self._now += timeout
        data, self._answers = self._answers[:limit], self._answers[limit:]
        return data

    def close(self) -> None:
        pass

    def monotonic(self) -> float:
        if self._next is not None and self._next.time is not None:
            self._now = max(self._now, self._next.time)
            self._go_on()
        else:  # the clock was not looked at here
            self._now += _TICK
        return self._now

    def sleep(self, seconds: float, /) -> None:
        pass

    def _next_write(self, byte: int) -> _Event:
        """What the host wrote next; answers on the way there can still be read. Raises what the link raised then."""
        while (event := self._after_times()) is not None:
            if event.to_board:
                return event
            self._go_on()
            if event.failed:
                raise event.failed
            self._answers += event.to_host or b""
        raise RecordingError(
            f"{self.path}: byte {self._byte} of the host's frame {self._frame} is {byte:#04x}, and the recording ends "
            f"there; record the session again if that is intended"
        )

    def _after_times(self) -> _Event | None:
        while self._next is not None and self._next.time is not None:
            self.monotonic()
        return self._next

    def _go_on(self) -> None:
        self._next = next(self._events, None)

    def _pass(self, written: bytes) -> None:
        *ended, rest = written.split(b"\0")
        for content in ended:
            self._frame += self._byte + len(content) > 0  # a delimiter more is no frame
            self._byte = 0
        self._byte += len(rest)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Numbered, from 1."""
    try:
        with path.open(encoding="ascii") as file:
            for number in itertools.count(1):
                line = file.readline(_LONGEST_LINE)
                if not line:
                    return
                if len(line) == _LONGEST_LINE:  # a device may have no end
                    raise _broken(path, number, f"longer than {_LONGEST_LINE:,} characters")
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise _broken(path, number, f"not JSON ({error})") from error
                if not isinstance(found, dict):
                    raise _broken(path, number, "not a JSON object")
                yield number, found
    except (OSError, ValueError) as error:  # ValueError: not ASCII, or no name that a file can have
        raise RecordingError(f"{path}: cannot be read ({error}); give a file that was made with --record") from error


def _heading(path: Path, lines: Iterator[tuple[int, dict[str, object]]]) -> Heading:
    number, first = next(lines, (1, {}))
    if (version := first.get("presparse_recording")) != VERSION:
        raise _broken(path, number, f"presparse_recording must be {VERSION}, and is {shortened(version)}")
    try:
        return Heading.model_validate(first)
    except ValidationError as error:
        raise _broken(path, number, problems(error)) from error


def _event(path: Path, number: int, found: dict[str, object]) -> _Event:
    match found:
        case {"to_board": str(text), **rest} if not rest:
            return _Event(number, to_board=_bytes(path, number, text))
        case {"to_host": str(text), **rest} if not rest:
            return _Event(number, to_host=_bytes(path, number, text))
        case {"time": float(seconds) | int(seconds), **rest} if not rest and 0 <= seconds < _LONGEST:
            return _Event(number, time=float(seconds))
        case {"opened": True, **rest} if not rest:
            return _Event(number, opened=True)
        case {"failed": str(name), "message": str(message), **rest} if not rest and name in _FAILURES:
            return _Event(number, failed=_FAILURES[name](message))
    raise _broken(path, number, f"{shortened(found)} is none of what is recorded")


def _bytes(path: Path, number: int, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise _broken(path, number, str(error)) from error


def _broken(path: Path, number: int, problem: str) -> RecordingError:
    return RecordingError(f"{path}, line {number}: {problem}; give a file that was made with --record, and is whole")
