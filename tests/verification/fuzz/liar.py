"""A board whose frames are right and whose answers may be anything, and a clock that passes while it is silent."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from cobs import cobs

from presparse.contract.build import Build
from presparse.contract.operations import MAX_PAYLOAD, Operation
from presparse.contract.store import StoreState
from presparse.contract.wire import CRC_BYTES, PROTOCOL_VERSION, WINDOW, Identity, RunState, crc

_SILENT, _LIES, _LIES_FOR_EVER, _STRAY = 0xFC, 0xFD, 0xFE, 0xFF
"""Control bytes: no answer; another status and payload; the same for this and all further requests of the operation;
some other answer before the right one."""


class LyingBoard:
    """A link and its clock. Each request takes a control byte of `script`; for a lie a status, a length (2), a payload.

    Where the script is silent or at its end, answers are plausible, or those that `always` has for an operation.
    """

    def __init__(self, build: Build, script: bytes = b"", always: Mapping[Operation, bytes] | None = None) -> None:
        self.build = build
        self.seconds = 0.0
        self._script = memoryview(script)
        self._always: dict[int, tuple[int, bytes]] = {key: (0, payload) for key, payload in (always or {}).items()}
        self._to_host = bytearray()
        self._from_host = bytearray()

    def write(self, data: bytes) -> None:
        self._from_host += data
        *frames, self._from_host[:] = self._from_host.split(b"\0")
        for frame in filter(None, frames):
            content = cobs.decode(bytes(frame))
            self._execute(content[0], content[1], content[2:-CRC_BYTES])

    def read(self, limit: int, timeout: float) -> bytes:
        if not self._to_host:
            self.seconds += max(timeout, 1e-3)
        data = bytes(self._to_host[:limit])
        del self._to_host[:limit]
        return data

    def close(self) -> None:
        pass

    def monotonic(self) -> float:
        self.seconds += 1e-6
        return self.seconds

    def sleep(self, seconds: float, /) -> None:
        self.seconds += seconds

    def _execute(self, sequence: int, operation: int, payload: bytes) -> None:
        control = self._take(1)[0] if self._script and operation not in self._always else 0
        if control == _SILENT:
            return
        if control == _STRAY:
            number, other, status = (self._take(3) + bytes(3))[:3]
            self._answer(number, other, status, self._take(8))
        if control in (_LIES, _LIES_FOR_EVER):
            status, low, high = (self._take(3) + bytes(3))[:3]
            self._always[operation] = status, self._take(min(low + 256 * high, MAX_PAYLOAD))
        self._answer(sequence, operation, *self._always.get(operation, (0, self._plausible(operation, payload))))
        if control == _LIES:
            del self._always[operation]

    def _take(self, count: int) -> bytes:
        taken, self._script = self._script[:count], self._script[count:]
        return bytes(taken)

    def _answer(self, sequence: int, operation: int, status: int, payload: bytes) -> None:
        body = bytes([sequence, operation, status]) + payload
        self._to_host += cobs.encode(body + crc(body)) + b"\0"

    def _plausible(self, operation: int, payload: bytes) -> bytes:
        if operation == Operation.IDENTIFY:
            return identity(self.build).pack()
        if operation == Operation.READ:
            return bytes(4 * struct.unpack("<IH", payload)[1])
        if operation in (Operation.RUN_STATE, Operation.STOP):
            return RunState(running=False, fed=0, runs=0).pack()
        return bytes(2) if operation == Operation.SAMPLES else b""


def identity(build: Build) -> Identity:
    """Of a board of this build that has accepted nothing."""
    return Identity(
        protocol=PROTOCOL_VERSION,
        window=WINDOW,
        result_capacity=build.result_capacity,
        contract_hash=build.hash,
        build="0" * 16,
        accepted=0,
        store=StoreState.NONE if build.store is None else StoreState.READY,
        read_phase=0,
    )


def lie(status: int, payload: bytes, *, for_ever: bool = False) -> bytes:
    """A piece of script."""
    return bytes([_LIES_FOR_EVER if for_ever else _LIES, status]) + struct.pack("<H", len(payload)) + payload
