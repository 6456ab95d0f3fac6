"""Sessions in files: `Recorder` writes down what passes a link, `Replayer` is the board that did it.

A recording is text. Its first line is `presparse-recording 1`; every other line is `>` and bytes that the host
wrote, `<` and bytes that it read, in hexadecimal, in order, or `#` and a remark.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

from presparse.errors import RecordingError
from presparse.links.link import Link

HEADING = "presparse-recording 1"


class Recorder:
    """Passes everything on to `link`, and writes it down as it happens.

    Raises RecordingError if the file cannot be written.
    """

    def __init__(self, link: Link, path: str | Path, *, remark: str = "") -> None:
        self._link = link
        try:
            self._file = Path(path).open("w", encoding="ascii", errors="replace")  # noqa: SIM115 (close() closes it)
        except OSError as error:
            raise RecordingError(f"{path}: cannot be written ({error.strerror}); choose another file") from error
        print(HEADING, file=self._file)
        for line in remark.splitlines():
            print("#", line, file=self._file)

    def write(self, data: bytes) -> None:
        self._link.write(data)
        print(">", data.hex(), file=self._file)

    def read(self, limit: int, timeout: float) -> bytes:
        data = self._link.read(limit, timeout)
        if data:
            print("<", data.hex(), file=self._file)
        return data

    def close(self) -> None:
        self._link.close()
        self._file.close()


class Replayer:
    """Answers as the recorded board did, as long as the host writes exactly what it wrote then.

    Bytes count, not how they were cut into writes and reads. The session must begin with the recorded sequence
    number (`Session(first_sequence=...)`). Raises RecordingError for a file that is no recording, and at the
    first byte that differs.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._events = deque(_parse(self.path))
        self._position = 0
        """Bytes the host has written."""

    def write(self, data: bytes) -> None:
        while data:
            self._drop_empty()
            # Answers that the host has not read do not keep it from writing.
            event = next((e for e in self._events if e[0] == ">" and e[1]), None)
            if event is None:
                raise RecordingError(
                    f"{self.path}: byte {self._position} of the host is {data[0]:#04x}, and the recording ends there; "
                    f"record the session again if that is intended"
                )
            length = min(len(data), len(event[1]))
            own, recorded = data[:length], bytes(event[1][:length])
            if own != recorded:
                at = next(i for i in range(length) if own[i] != recorded[i])
                raise RecordingError(
                    f"{self.path}: byte {self._position + at} of the host is {own[at]:#04x}, "
                    f"and was {recorded[at]:#04x} when the session was recorded; record it again if that is intended"
                )
            del event[1][:length]
            self._position += length
            data = data[length:]

    def read(self, limit: int, timeout: float) -> bytes:
        self._drop_empty()
        if not self._events or self._events[0][0] == ">":
            time.sleep(timeout)  # what the recorded board did: nothing
            return b""
        pending = self._events[0][1]
        data = bytes(pending[:limit])
        del pending[:limit]
        return data

    def close(self) -> None:
        pass

    @property
    def finished(self) -> bool:
        """The host has written and read everything that was recorded."""
        self._drop_empty()
        return not self._events

    def _drop_empty(self) -> None:
        while self._events and not self._events[0][1]:
            self._events.popleft()


def _parse(path: Path) -> list[tuple[str, bytearray]]:
    try:
        heading, *lines = path.read_text(encoding="ascii").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: cannot be read ({error}); give a file that Recorder wrote") from error
    if heading != HEADING:
        raise RecordingError(f"{path}: begins with {heading[:40]!r}, and a recording with {HEADING!r}")
    events = []
    for number, line in enumerate(lines, start=2):
        direction, _, text = line.partition(" ")
        if direction == "#":
            continue
        try:
            if direction not in ("<", ">"):
                raise ValueError("a line begins with <, > or #")
            events.append((direction, bytearray.fromhex(text)))
        except ValueError as error:
            raise RecordingError(f"{path}: line {number}: {error}; record the session again") from error
    return events
