"""A board in pure Python, written from docs/protocol.md alone, and a link to it.

Frames, operations and records are spelled out here a second time on purpose: an error in the host's or the
contract's reading of the protocol shows. The core behind it is the reference.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections import deque

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import (
    COUNTERS,
    bias_address,
    edge_address,
    pack_biases,
    pack_edges,
    unpack_biases,
    unpack_edges,
)
from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse.errors import LinkClosed
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.reference.pytorch import Reference
from tests.host.device.protocol_store import ProtocolStore

WINDOW = 4
IDENTIFY, READ, WRITE, SAMPLES, RESULTS, FLUSH, CLEAR_COUNTERS, RESET, RUN, STOP, RUN_STATE = range(1, 12)
OK, UNKNOWN_OPERATION, BAD_LENGTH, BAD_ADDRESS, NOT_DRAINED, BAD_SAMPLE, STALLED, RUNNING, BAD_RUN = range(9)


class ProtocolBoard:
    """Takes bytes, gives bytes. Public attributes are what tests look at or change."""

    def __init__(self, build: Build, *, contract_hash: str | None = None, protocol: int = 3) -> None:
        self.build = build
        self.contract_hash = contract_hash or build.hash
        self.protocol = protocol
        self.mute = False
        """Executes, and never answers."""
        self.stuck_words: dict[int, int] = {}
        """Addresses whose words read back as given here, whatever was written."""
        self.executed: list[int] = []
        """Operations in the order in which they were executed."""
        self.most_pending = 0
        """Most requests that were waiting at once."""
        self.fed_per_frame = 40
        """Samples of a run that are fed while a frame arrives."""
        self.most_unread = 0
        """Most predicted samples that were unread at once."""
        self.compressed = 0
        """Records of words that were taken."""
        self.store_states = [2 if build.store_samples else 0]
        """What IDENTIFY says of the store, one after the other; the last again and again."""
        self.power_on()

    def power_on(self) -> None:
        """As after power came (back): other weights, nothing remembered."""
        self.expected = 0
        self.remembered: deque[tuple[int, int, bytes]] = deque(maxlen=WINDOW)  # sequence, operation, answer frame
        self.inbox = bytearray()
        self.frames = dict.fromkeys((c for c in COUNTERS if c.startswith("frames_")), 0)
        self.reference = Reference(self.build, Model.initial(self.build.network, random_state=12345))
        self.words = _words(self.build, self.reference.model())
        self.store = ProtocolStore(self.build) if self.build.sample_bits else None
        self.reset()

    def reset(self) -> None:
        self.reference = Reference(self.build, self.reference.model())
        self.frames = dict.fromkeys(self.frames, 0)
        self.record = bytearray()
        self.results: deque[list[int]] = deque()
        self.accepted = 0
        self.unread = 0
        self.drained = True
        self.to_feed: deque[Samples] | None = None
        """Of the run that is on; None: none is."""
        self.fed = 0
        self.runs = 0

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes from the host; the answers' frames."""
        self.inbox += data
        self.most_pending = max(self.most_pending, len([f for f in self.inbox.split(b"\0")[:-1] if f]))
        answers = []
        while (end := self.inbox.find(0)) >= 0:
            frame = bytes(self.inbox[:end])
            del self.inbox[: end + 1]
            if frame:
                answer = self._frame(frame)
                if answer is not None and not self.mute:
                    answers.append(answer)
        return answers

    def _go_on(self) -> None:
        """What a run does in the time of a frame."""
        for _ in range(self.fed_per_frame if self.to_feed else 0):
            if self.to_feed:
                self._feed(self.to_feed.popleft())
                self.fed += 1
        if self.to_feed is not None and not self.to_feed:
            self.reference.flush()
            self.to_feed, self.drained = None, True

    def _frame(self, frame: bytes) -> bytes | None:
        self._go_on()
        content = uncobs(frame)
        if content is None or not 6 <= len(content) <= 2 + 1024 + 4:
            self.frames["frames_malformed"] += 1
            return None
        body, check = content[:-4], int.from_bytes(content[-4:], "little")
        if zlib.crc32(body) != check:
            self.frames["frames_corrupt"] += 1
            return None
        sequence, operation, payload = body[0], body[1], body[2:]

        known = list(self.remembered)
        if operation == IDENTIFY:  # repeats the newest request, if that was an IDENTIFY too, or starts a session
            known = [request for request in known[-1:] if request[1] == IDENTIFY]
        for number, _, answer in known:
            if number == sequence:
                self.frames["frames_repeated"] += 1
                return answer
        if operation != IDENTIFY and sequence != self.expected:
            self.frames["frames_unexpected"] += 1
            return None
        self.frames["frames_accepted"] += 1
        self.expected = (sequence + 1) % 256
        if operation == IDENTIFY:
            self.remembered.clear()
        self.executed.append(operation)
        status, answer_payload = self._execute(operation, payload)
        answer_body = bytes([sequence, operation, status]) + answer_payload
        answer = encobs(answer_body + struct.pack("<I", zlib.crc32(answer_body))) + b"\0"
        self.remembered.append((sequence, operation, answer))
        return answer

    def _execute(self, operation: int, payload: bytes) -> tuple[int, bytes]:
        if self.to_feed is not None and operation in (SAMPLES, FLUSH, RUN):
            return RUNNING, b""
        if operation in (RUN, STOP, RUN_STATE) and self.store is not None and self.build.store_samples:
            return self._run(operation, self.store, payload)
        if operation == IDENTIFY:
            self.record.clear()
            identity = struct.pack(
                "<4sHHHI32s8s",
                b"PSPA",
                self.protocol,
                WINDOW,
                self.build.result_capacity,
                self.accepted,
                bytes.fromhex(self.contract_hash),
                bytes(8),
            )
            if len(self.store_states) > 1:
                self.store_states.pop(0)
            return OK, identity if self.protocol < 3 else identity + bytes([self.store_states[0], 1])
        if operation == READ:
            return self._read(*struct.unpack("<IH", payload))
        if operation == WRITE:
            address, data = int.from_bytes(payload[:4], "little"), np.frombuffer(payload[4:], "<u4")
            return self._write(address, data), b""
        if operation == SAMPLES:
            return self._samples(payload)
        if operation == RESULTS:
            if payload not in (b"\0", b"\1"):
                return BAD_LENGTH, b""
            size = self._result(payload[0], [0] * self.build.network.layers[-1])
            count = min(len(self.results), 1024 // len(size))
            self.unread -= count
            return OK, b"".join(self._result(payload[0], self.results.popleft()) for _ in range(count))
        if operation == FLUSH:
            self._keep(self.reference.flush())
            self.drained = True
            return OK, b""
        if operation == CLEAR_COUNTERS:
            self.frames = dict.fromkeys(self.frames, 0)
            self.reference.counters = dict.fromkeys(self.reference.counters, 0)
            return OK, b""
        if operation == RESET:
            self.reset()
            return OK, b""
        return UNKNOWN_OPERATION, b""

    def _read(self, address: int, count: int) -> tuple[int, bytes]:
        if address >> 24 == 0:
            counters = {**self.frames, **self.reference.counters}
            words = np.array([counters.get(c, 0) >> s & 0xFFFFFFFF for c in COUNTERS for s in (0, 32)], "<u4")
            return OK, words[address : address + count].tobytes()
        if not self.drained or self.to_feed is not None:
            return NOT_DRAINED, b""
        region, offset = address >> 24 << 24, address & 0xFFFFFF
        store = self._store_of(region)
        if store is not None and (stored := store.read(region >> 24, offset, count)) is not None:
            for i in range(count):
                stored[i] = self.stuck_words.get(address + i, int(stored[i]))
            return OK, stored.astype("<u4").tobytes()
        self.words = _words(self.build, self.reference.model())
        if region not in self.words or offset + count > len(self.words[region]):
            return BAD_ADDRESS, b""
        words = self.words[region][offset : offset + count].astype("<u4")
        for i in range(count):
            words[i] = self.stuck_words.get(address + i, words[i])
        return OK, words.tobytes()

    def _write(self, address: int, data: NDArray[np.uint32]) -> int:
        if not self.drained or self.to_feed is not None:
            return NOT_DRAINED
        region, offset = address >> 24 << 24, address & 0xFFFFFF
        store = self._store_of(region)
        if store is not None and store.write(region >> 24, offset, data):
            return OK
        if region not in self.words or offset + len(data) > len(self.words[region]):
            return BAD_ADDRESS
        self.words[region][offset : offset + len(data)] = data
        last = 2 * len(self.build.junctions) << 24
        if region == last and offset + len(data) == len(self.words[last]):
            # Only then is it a model; the reference takes none that is half old and half new.
            counters = self.reference.counters
            self.reference = Reference(self.build, _model(self.build, self.words))
            self.reference.counters = counters
        return OK

    def _run(self, operation: int, store: ProtocolStore, payload: bytes) -> tuple[int, bytes]:
        if operation == RUN:
            run = store.run(payload)
            if run is None or self.store_states[0] != 2:
                return BAD_RUN, b""
            if not self.drained or self.record:
                return NOT_DRAINED, b""
            kind, rate, slot, order = run
            self.to_feed = deque(_sample(kind, *store.sample(number, slot), rate) for number in order)
            self.fed, self.runs = 0, self.runs + 1
            return OK, b""
        if operation == STOP and self.to_feed is not None:
            while len(self.to_feed) > 3:  # as many are under way
                self.to_feed.pop()
        return OK, struct.pack("<BII", self.to_feed is not None, self.fed, self.runs)

    def _feed(self, sample: Samples) -> None:
        self.drained = False
        self.accepted += 1
        self._keep(self.reference.run(sample))

    def _samples(self, payload: bytes) -> tuple[int, bytes]:
        self.record += payload
        while (size := self._record_bytes(self.record)) and len(self.record) >= size:
            kind, rate, features, label = self._unpacked(bytes(self.record[:size]))
            del self.record[:size]
            network = self.build.network
            bad = kind not in (1, 2, 3) or label >= network.classes or (kind != 2 and rate != 0)
            if bad or (kind == 2 and not network.rates.least <= rate <= network.rates.most):
                self.record.clear()
                return BAD_SAMPLE, b""
            self.unread += kind == 1
            self.most_unread = max(self.most_unread, self.unread)
            self._feed(_sample(kind, features, label, rate))
        return OK, len(self.results).to_bytes(2, "little")

    def _record_bytes(self, record: bytearray) -> int:
        """Of the first record; 0: that is not known yet."""
        if record and record[0] & 4 and self.store is not None:
            return 2 + 2 * max(1, self.store.length(record[2] | record[3] << 8)) if len(record) >= 4 else 0
        return 4 + self.build.network.layers[0] * _value_bytes(self.build.network.formats.activation.width)

    def _unpacked(self, record: bytes) -> tuple[int, int, list[int], int]:
        """Kind, rate, features and label of a record; a bad one has kind 0."""
        if record[0] & 4 and self.store is not None:
            try:
                features, label = self.store.decoded(np.frombuffer(record[2:], "<u2").tolist())
            except (ValueError, IndexError):
                return 0, 0, [], 0
            self.compressed += 1
            return record[0] - 4, record[1], features, label
        kind, rate, label = struct.unpack("<BBH", record[:4])
        size = _value_bytes(self.build.network.formats.activation.width)
        return kind, rate, np.frombuffer(record[4:], f"<i{size}").tolist(), label

    def _store_of(self, region: int) -> ProtocolStore | None:
        """If it is one of the store's regions that can be used."""
        return self.store if region >> 24 == 0xFF or self.store_states[0] == 2 else None

    def _keep(self, scores: NDArray[np.int64]) -> None:
        self.results.extend(scores.tolist())

    def _result(self, form: int, scores: list[int]) -> bytes:
        network = self.build.network
        if form == 1:
            own = scores[: network.classes]
            return own.index(max(own)).to_bytes(1 if network.classes <= 256 else 2, "little")
        return np.array(scores).astype(f"<i{_value_bytes(network.formats.output.width)}").tobytes()


def _value_bytes(width: int) -> int:
    return 1 if width <= 8 else 2 if width <= 16 else 4


def _sample(kind: int, features: list[int], label: int, rate: int) -> Samples:
    return Samples(
        np.array([kind], np.uint8), np.array([features]), np.array([label], np.uint16), np.array([rate], np.uint8)
    )


def _words(build: Build, model: Model) -> dict[int, NDArray[np.uint32]]:
    words = {}
    for j, left, weights, biases in zip(build.junctions, model.left, model.weights, model.biases, strict=True):
        words[edge_address(j.index)] = pack_edges(j, left, weights)
        words[bias_address(j.index)] = pack_biases(j, biases)
    return words


def _model(build: Build, words: dict[int, NDArray[np.uint32]]) -> Model:
    edges = [unpack_edges(j, words[edge_address(j.index)]) for j in build.junctions]
    return Model(
        network=build.network,
        left=tuple(left for left, _ in edges),
        weights=tuple(weights for _, weights in edges),
        biases=tuple(unpack_biases(j, words[bias_address(j.index)]) for j in build.junctions),
        inputs=Inputs.plain(build.network.features),
    )


def encobs(data: bytes) -> bytes:
    """Consistent overhead byte stuffing, without the delimiter."""
    encoded = bytearray()
    for index, part in enumerate(parts := data.split(b"\0")):
        while len(part) >= 254:
            encoded += b"\xff" + part[:254]
            part = part[254:]
            if not part and index == len(parts) - 1:
                return bytes(encoded)
        encoded += bytes([len(part) + 1]) + part
    return bytes(encoded)


def uncobs(data: bytes) -> bytes | None:
    """The inverse of `encobs`, None if there is none."""
    decoded, position = bytearray(), 0
    while position < len(data):
        code = data[position]
        part = data[position + 1 : position + code]
        if code == 0 or len(part) != code - 1:
            return None
        decoded += part
        position += code
        if code != 0xFF and position < len(data):
            decoded.append(0)
    return bytes(decoded)


class BoardLink:
    """A `Link` to a board in this process. The board works when it is read from."""

    def __init__(self, board: ProtocolBoard, *, garbage: bytes = b"") -> None:
        self.board = board
        self.garbage = garbage
        """Read instead of every answer."""
        self.closed = False
        self._to_board = bytearray()
        self._to_host = bytearray()

    def write(self, data: bytes) -> None:
        self._check()
        self._to_board += data

    def read(self, limit: int, timeout: float) -> bytes:
        self._check()
        for answer in self.board.receive(bytes(self._to_board)):
            self._to_host += answer
        self._to_board.clear()
        if self.garbage:
            return self.garbage
        data = bytes(self._to_host[:limit])
        del self._to_host[:limit]
        if not data:
            time.sleep(timeout)
        return data

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.closed:
            raise LinkClosed("this link was closed")
