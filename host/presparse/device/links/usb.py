"""A board on USB (`usb:`): its bytes by libusb, many transfers at once each way."""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from typing import Any

from presparse.contract.usb import ENDPOINT, PACKET_BYTES
from presparse.device.protocol import CLOSED
from presparse.device.usb_devices import attached, chosen, explained, library, usb_context
from presparse.errors import LinkClosed, LinkTimeout

WRITE_TIMEOUT = 5.0
"""Seconds in which the board must take what is written."""
READS, WRITES = 32, 16
"""Transfers under way at once. A read is one packet: it ends with that, whether it is full or not."""
_MOST_UNREAD = 1 << 20
"""Bytes: with more, the board has to wait until they are read."""
_LOOK = 0.1
"""Seconds until the thread that waits for libusb looks whether the link is being closed."""
_CLOSING = 2.0
"""Seconds that transfers have to end."""
_IN, _OUT, _INTERFACE = 0x80 | ENDPOINT, ENDPOINT, 0


class UsbLink:
    """The two bulk endpoints of a board on USB.

    A thread of its own waits for libusb: Ctrl-C reaches the thread that reads or writes, and never a transfer that
    has just ended.

    Parameters
    ----------
    wanted : serial number or place of the board, as errors list them; empty: the one that is there
    board : name of the board; empty: any

    Raises MissingExtra without libusb1 or libusb; LinkClosed if no such board is there, or several are, naming them, if
    it must not be opened, with the udev rule, or if it is not attached at high speed; DeviceInUse if another program
    has it.
    """

    def __init__(self, wanted: str = "", board: str = "") -> None:
        self._usb1: Any = library()
        self._changed = threading.Condition()
        """What follows is used under its lock, and it is told of every change."""
        self._received: deque[bytes] = deque()
        self._unread = 0
        """Bytes in it."""
        self._failure = ""
        """Why no more bytes come or go."""
        self._idle_reads: list[Any] = []
        self._idle_writes: list[Any] = []
        self._under_way: set[Any] = set()
        with ExitStack() as undo:
            self._context = undo.enter_context(usb_context())
            found = chosen(attached(self._context), wanted, board)
            self.name = f"usb:{found.place}"
            self._handle = self._opened(found.device, undo)
            self._resources = undo.pop_all()
        self._thread = threading.Thread(target=self._wait_for_libusb, name=self.name, daemon=True)
        atexit.register(self.close)
        with self._changed:
            for _ in range(READS):
                transfer = self._handle.getTransfer()
                transfer.setBulk(_IN, PACKET_BYTES, callback=self._has_read)
                self._idle_reads.append(transfer)
            self._idle_writes.extend(self._handle.getTransfer() for _ in range(WRITES))
            self._listen()
        self._thread.start()

    def write(self, data: bytes) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._failure or self._idle_writes, WRITE_TIMEOUT):
                raise LinkTimeout(
                    f"{self.name}: took nothing for {WRITE_TIMEOUT:g} s; program the board again, or plug it in again"
                )
            self._check()
            transfer = self._idle_writes.pop()
            transfer.setBulk(_OUT, data, callback=self._has_written)
            self._submit(transfer, self._idle_writes)
            self._check()

    def read(self, limit: int, timeout: float) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._received or self._failure, timeout)
            if not self._received:
                self._check()
                return b""
            data = self._received.popleft()
            if len(data) > limit:
                self._received.appendleft(data[limit:])
            else:
                while self._received and len(data) + len(self._received[0]) <= limit:
                    data += self._received.popleft()
            data = data[:limit]
            self._unread -= len(data)
            self._listen()
            return data

    def close(self) -> None:
        with self._changed:
            self._failure = CLOSED
            self._received.clear()
            self._changed.notify_all()
            for transfer in self._under_way:
                with suppress(self._usb1.USBError):  # it may have ended, and the board may be gone
                    transfer.cancel()
        self._thread.join(_CLOSING)
        atexit.unregister(self.close)

    def _opened(self, device: Any, undo: ExitStack) -> Any:
        usb1 = self._usb1
        if device.getDeviceSpeed() in (usb1.SPEED_LOW, usb1.SPEED_FULL):
            raise LinkClosed(f"{self.name}: not attached at high speed (480 Mbit/s); use another cable, hub or port")
        try:
            handle = device.open()
            undo.callback(handle.close)
            handle.claimInterface(_INTERFACE)
            # Whatever the program before left: both sides begin with a DATA0.
            handle.clearHalt(_OUT)
            handle.clearHalt(_IN)
        except usb1.USBError as error:
            raise explained(self.name, error) from error
        return handle

    def _check(self) -> None:
        if self._failure:
            raise LinkClosed(f"{self.name}: {self._failure}")

    def _fail(self, reason: object) -> None:
        self._failure = self._failure or f"the board is gone ({reason}); plug it in and open it again"
        self._changed.notify_all()

    def _submit(self, transfer: Any, idle: list[Any]) -> None:
        self._under_way.add(transfer)
        try:
            transfer.submit()
        except self._usb1.USBError as error:
            self._under_way.discard(transfer)
            idle.append(transfer)
            self._fail(error)

    def _listen(self) -> None:
        """Begin all reads that wait, unless too much is unread."""
        while self._idle_reads and not self._failure and self._unread < _MOST_UNREAD:
            self._submit(self._idle_reads.pop(), self._idle_reads)

    # In the thread that waits for libusb

    def _wait_for_libusb(self) -> None:
        while True:
            with self._changed:
                if self._failure == CLOSED and not self._under_way:
                    break
            try:
                self._context.handleEventsTimeout(_LOOK)
            except self._usb1.USBErrorInterrupted:
                continue
            except self._usb1.USBError as error:
                with self._changed:
                    self._fail(error)
                time.sleep(_LOOK)
        self._resources.close()

    def _has_read(self, transfer: Any) -> None:
        with self._changed:
            self._under_way.discard(transfer)
            self._idle_reads.append(transfer)
            if transfer.getStatus() != self._usb1.TRANSFER_COMPLETED:
                self._fail(_status(self._usb1, transfer))
                return
            data = bytes(transfer.getBuffer()[: transfer.getActualLength()])
            if data and self._failure != CLOSED:
                self._received.append(data)
                self._unread += len(data)
                self._changed.notify_all()
            self._listen()

    def _has_written(self, transfer: Any) -> None:
        with self._changed:
            self._under_way.discard(transfer)
            self._idle_writes.append(transfer)
            if transfer.getStatus() != self._usb1.TRANSFER_COMPLETED:
                self._fail(_status(self._usb1, transfer))
            self._changed.notify_all()


def _status(usb1: Any, transfer: Any) -> str:
    """Of a transfer that failed, in words."""
    status = transfer.getStatus()
    words = {
        usb1.TRANSFER_NO_DEVICE: "it was unplugged, or reset",
        usb1.TRANSFER_STALL: "it refuses its endpoint",
        usb1.TRANSFER_OVERFLOW: "it sends more than a packet",
        usb1.TRANSFER_TIMED_OUT: "a transfer timed out",
        usb1.TRANSFER_CANCELLED: "a transfer was cancelled",
    }
    return words.get(status, "a transfer failed")
