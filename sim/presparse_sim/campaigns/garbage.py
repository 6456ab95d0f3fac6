"""Bytes that no program would send, into both ends of the link: what is not a frame changes nothing, and is counted."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from cobs import cobs

from presparse.contract.address_map import LINK_COUNTERS
from presparse.contract.address_map import Counter as Counted
from presparse.contract.operations import MAX_PAYLOAD, Operation
from presparse.contract.wire import ANSWER_HEADER, CRC_BYTES, REQUEST_HEADER, WINDOW, SampleKind, crc
from presparse.device import memory_transfer
from presparse.device.frames import Answer, AnswerReader
from presparse.device.transport import Transport
from presparse.errors import PresparseError
from presparse_sim.board import SimulatedBoard, open_link
from presparse_sim.campaigns.bounded import bounded
from presparse_sim.campaigns.builds import STORED, random_samples
from presparse_sim.campaigns.row import Row
from presparse_sim.campaigns.twins import TIMEOUT, BoardTime, Mismatch, Twins

_PIECE = 1 << 16
"""Bytes (about) between two looks at the counters."""
_MOST_MEMORY = 4 << 20
"""Bytes that the host's reader may need."""
_WATCHDOG_SECONDS = 5.0
"""Of the board's time: longer than it waits for the rest of a frame."""


def into_board(size: int, seed: int, told: Callable[[int], None] = lambda done: None) -> Row:
    """So many bytes, one per cycle, into the board; after every piece its counters say exactly what came, and in the
    end it still holds what it held, and learns."""
    row, began, rng = Row(fault="garbage to the board"), time.monotonic(), np.random.default_rng(seed)
    board = open_link(STORED)
    clock = BoardTime(board)
    twins = Twins(STORED, lambda: board, clock, rng)
    transport = Transport(board, first_sequence=0, timeout=TIMEOUT, retries=0, clock=clock)
    garbage = Garbage(rng, REQUEST_HEADER)
    done = 0
    try:
        transport.start()
        while done < size:
            with bounded():
                transport.request(Operation.CLEAR_COUNTERS)
                garbage.expected_sequence = transport.next_sequence
                piece = garbage.piece()
                _send(board, piece)
                expected = _judge(piece)
                _compare(
                    row, memory_transfer.read_counters(transport), expected, f"bytes {done} to {done + len(piece)}"
                )
            done += len(piece)
            row.frames += expected.total()
            row.faulted += expected.total()
            told(done)
        with bounded():
            transport.request(Operation.CLEAR_COUNTERS)
            board.write(b"\x07half a")
            board.read(1, _WATCHDOG_SECONDS)
            _compare(row, memory_transfer.read_counters(transport), Counter(frames_abandoned=1), "half a frame")
            twins.reconnect()
            twins.clear_counters()
            twins.feed(random_samples(rng, STORED, 200, (SampleKind.TRAIN, SampleKind.PREDICT)))
            twins.compare()
    except (Mismatch, PresparseError) as error:
        row.mismatches.append(f"{row.fault}, seed {seed}, after {done} bytes: {error}")
    row.sessions, row.errors = twins.sessions + 1, twins.errors
    row.compared += twins.compared
    row.seconds = time.monotonic() - began
    board.close()
    return row


def into_host(size: int, seed: int, told: Callable[[int], None] = lambda done: None) -> Row:
    """So many bytes, cut anywhere, into the host's reader: the good frames come out, the others are counted."""
    row, began, rng = Row(fault="garbage to the host"), time.monotonic(), np.random.default_rng(seed)
    reader, garbage, done = AnswerReader(), Garbage(rng, ANSWER_HEADER), 0
    tracemalloc.start()
    while done < size and not row.mismatches:
        piece = garbage.piece()
        expected = [answer for frame in piece.split(b"\0") if frame and (answer := _answer(frame)) is not None]
        bad = sum(1 for frame in piece.split(b"\0") if frame) - len(expected)
        before, found, at = reader.damaged, [], 0
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        while at < len(piece):
            count = int(rng.integers(1, 3000))
            reader.feed(piece[at : at + count])
            at += count
            while (answer := reader.next()) is not None:
                found.append(answer)
        memory = tracemalloc.get_traced_memory()[1] - held
        where = f"{row.fault}, seed {seed}, bytes {done} to {done + len(piece)}"
        if found != expected or reader.damaged - before != bad:
            row.mismatches.append(
                f"{where}: {len(found)} frames came out and {reader.damaged - before} were dropped, "
                f"and {len(expected)} are good and {bad} are not"
            )
        if memory > _MOST_MEMORY:
            row.mismatches.append(f"{where}: the reader took {memory} bytes of memory")
        done += len(piece)
        row.frames += len(expected) + bad
        row.faulted += bad
        row.compared += len(expected) + 1
        told(done)
    tracemalloc.stop()
    row.seconds = time.monotonic() - began
    return row


class Garbage:
    """What is nearly a frame, far from one, and now and then a good one that nobody expects.

    Parameters
    ----------
    header : bytes before the payload of a good frame, sequence number and operation first
    """

    def __init__(self, rng: np.random.Generator, header: int) -> None:
        self.expected_sequence = 0
        """What the board would execute."""
        self._rng, self._header = rng, header
        self._kinds = (self._good, self._altered, self._unchecked, self._noise, self._endless, self._runts)

    def piece(self) -> bytes:
        """Some 64 KiB, ended by a delimiter."""
        parts: list[bytes] = []
        while sum(map(len, parts)) < _PIECE:
            parts.append(self._kinds[int(self._rng.integers(len(self._kinds)))]())
        return b"".join(parts) + b"\0"

    def _good(self) -> bytes:
        """With a number that is neither expected nor remembered."""
        sequence = (self.expected_sequence + 1 + int(self._rng.integers(255 - WINDOW))) % 256
        operation = int(self._rng.integers(Operation.READ, Operation.RUN_STATE + 1))  # IDENTIFY is always expected
        length = (0, 6, MAX_PAYLOAD, int(self._rng.integers(MAX_PAYLOAD)))[self._rng.integers(4)]
        body = bytes([sequence, operation]) + self._rng.bytes(self._header - REQUEST_HEADER + length)
        return cobs.encode(body + crc(body)) + b"\0"

    def _altered(self) -> bytes:
        frame = bytearray(self._good())
        for _ in range(int(self._rng.integers(1, 4))):
            frame[int(self._rng.integers(len(frame)))] = int(self._rng.integers(256))
        return bytes(frame)

    def _unchecked(self) -> bytes:
        """Well encoded, about as short or as long as a frame may be, with a wrong CRC."""
        return cobs.encode(self._rng.bytes(int(self._rng.choice([*range(12), *range(1020, 1045)])))) + b"\0"

    def _noise(self) -> bytes:
        return self._rng.bytes(int(self._rng.integers(1, 2000)))

    def _endless(self) -> bytes:
        """No delimiter for long."""
        return self._rng.integers(1, 256, size=int(self._rng.integers(500, 5000)), dtype=np.uint8).tobytes()

    def _runts(self) -> bytes:
        """Far too short, one right behind the other, the first behind a good one."""
        count = int(self._rng.integers(1, 20))
        return self._good() + b"".join(self._rng.bytes(int(self._rng.integers(1, 7))) + b"\0" for _ in range(count))


def _send(board: SimulatedBoard, piece: bytes) -> None:
    """Raises Mismatch if the board answers."""
    board.write(piece)
    answer = board.read(1, len(piece) / board.clock_hz)
    if answer:
        raise Mismatch(f"the board answered what is no request, with {answer.hex()} ...")


def _judge(piece: bytes) -> Counter[str]:
    """What the board has to count: of frames that check, none is expected."""
    counts: Counter[str] = Counter()
    for frame in piece.split(b"\0"):
        if frame:
            content = _content(frame, REQUEST_HEADER)
            counts["frames_malformed" if content is None else _verdict(content, "frames_unexpected")] += 1
    return counts


def _answer(frame: bytes) -> Answer | None:
    content = _content(frame, ANSWER_HEADER)
    if content is None or _verdict(content, "good") != "good":
        return None
    return Answer(content[0], content[1], content[2], content[ANSWER_HEADER:-CRC_BYTES])


def _content(frame: bytes, header: int) -> bytes | None:
    """What a frame of an allowed length holds, CRC too (docs/protocol.md, Frames)."""
    try:
        content = cobs.decode(frame)
    except cobs.DecodeError:
        return None
    return content if header <= len(content) - CRC_BYTES <= header + MAX_PAYLOAD else None


def _verdict(content: bytes, good: str) -> str:
    return (
        good if zlib.crc32(content[:-CRC_BYTES]) == int.from_bytes(content[-CRC_BYTES:], "little") else "frames_corrupt"
    )


def _compare(row: Row, found: Mapping[Counted, int], expected: Mapping[str, int], what: str) -> None:
    """Every counter of frames but those accepted. Raises Mismatch."""
    for counter in LINK_COUNTERS:
        if counter != "frames_accepted":
            row.compared += 1
            if found[counter] != expected.get(counter, 0):
                raise Mismatch(f"{what}: {counter} is {found[counter]}, and must be {expected.get(counter, 0)}")
