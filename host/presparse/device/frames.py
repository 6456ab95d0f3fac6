"""Requests to bytes, and bytes to answers (docs/protocol.md, Frames)."""

from __future__ import annotations

from typing import NamedTuple

from cobs import cobs

from presparse.contract.operations import MAX_PAYLOAD, Operation
from presparse.contract.wire import ANSWER_HEADER, CRC_BYTES, crc

_LONGEST = cobs.max_encoded_length(ANSWER_HEADER + MAX_PAYLOAD + CRC_BYTES)


class Answer(NamedTuple):
    """A checked frame from the board."""

    sequence: int
    operation: int
    status: int
    payload: bytes


def encode_request(sequence: int, operation: Operation, payload: bytes | memoryview) -> bytes:
    """The frame, delimiter included."""
    body = bytes((sequence, operation)) + payload
    return cobs.encode(body + crc(body)) + b"\0"


class AnswerReader:
    """Cuts the bytes of a link into answers; what does not check is dropped and counted."""

    def __init__(self) -> None:
        self.damaged = 0
        """Frames dropped so far."""
        self._dropped = 0
        """Bytes of theirs, and of what was too long for a frame."""
        self._frames: list[bytes] = []
        """Whole frames, newest first."""
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        *frames, self._rest = (self._rest + data).split(b"\0")
        self._frames = frames[::-1] + self._frames
        if len(self._rest) > _LONGEST:  # no frame is as long: keep memory bounded until the next delimiter
            self._dropped += len(self._rest) - _LONGEST - 1
            self._rest = self._rest[: _LONGEST + 1]

    def next(self) -> Answer | None:
        """The next answer that checks, if there is one."""
        while self._frames:
            frame = self._frames.pop()
            if not frame:
                continue
            answer = _decode(frame)
            if answer is not None:
                return answer
            self.damaged += 1
            self._dropped += len(frame)
        return None

    @property
    def strange(self) -> int:
        """Bytes so far that are of no intact frame, those of an unfinished one among them."""
        return self._dropped + len(self._rest)

    def clear(self) -> None:
        """Forget what came."""
        self._frames, self._rest = [], b""


def _decode(frame: bytes) -> Answer | None:
    try:
        content = cobs.decode(frame)
    except cobs.DecodeError:
        return None
    body, check = content[:-CRC_BYTES], content[-CRC_BYTES:]
    if not ANSWER_HEADER <= len(body) <= ANSWER_HEADER + MAX_PAYLOAD or crc(body) != check:
        return None
    return Answer(body[0], body[1], body[2], body[ANSWER_HEADER:])
