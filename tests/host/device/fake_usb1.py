"""A stand-in for the package usb1, at its boundary: a bus of devices, whose transfers end when the test says so.

It has what Presparse uses of it, and what that package does: a submitted transfer cannot be submitted again, callbacks
are called while events are handled and by nobody else, whatever a callback raises is lost.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator


class USBError(Exception):
    pass


class USBErrorAccess(USBError):
    pass


class USBErrorBusy(USBError):
    pass


class USBErrorNoDevice(USBError):
    pass


class USBErrorNotFound(USBError):
    pass


class USBErrorNotSupported(USBError):
    pass


class USBErrorInterrupted(USBError):
    pass


SPEED_UNKNOWN, SPEED_LOW, SPEED_FULL, SPEED_HIGH = range(4)
(
    TRANSFER_COMPLETED,
    TRANSFER_ERROR,
    TRANSFER_TIMED_OUT,
    TRANSFER_CANCELLED,
    TRANSFER_STALL,
    TRANSFER_NO_DEVICE,
    TRANSFER_OVERFLOW,
) = range(7)


class Bus:
    """What is plugged in; one for all contexts."""

    def __init__(self) -> None:
        self.devices: list[Device] = []
        self.library_error: Exception | None = None
        """What opening a context raises."""
        self.lost: list[Exception] = []
        """What callbacks raised."""
        self.contexts = 0
        """That are open."""


class Device:
    """A device, and what its firmware does: `echo` sends back what came."""

    def __init__(
        self,
        *,
        ids: tuple[int, int] = (0x1209, 0x0001),
        manufacturer: str | None = "Presparse",
        product: str = "ecpix5-85f digits",
        serial: str = "0123456789abcdef",
        ports: tuple[int, ...] = (4, 2),
        speed: int = SPEED_HIGH,
        refuses: type[USBError] | None = None,
        echo: bool = True,
    ) -> None:
        self.ids, self.ports, self.speed, self.refuses, self.echo = ids, ports, speed, refuses, echo
        self.names = manufacturer, product, serial
        self.lock = threading.Lock()
        self.claimed = False
        self.gone = False
        self.takes = True
        """Packets from the host."""
        self.came = bytearray()
        self.to_host: deque[bytes] = deque()
        """Packets."""
        self.halts_cleared: list[int] = []
        self.most_reads = 0
        self._reads: deque[Transfer] = deque()
        self._writes: deque[Transfer] = deque()
        self._ended: deque[Transfer] = deque()

    # What a test does

    def unplug(self) -> None:
        with self.lock:
            self.gone = True
            self._end_all(TRANSFER_NO_DEVICE)

    def end_one(self, status: int) -> None:
        """The oldest read ends otherwise than well."""
        with self.lock:
            self._end(self._reads.popleft(), status)

    def send(self, *packets: bytes) -> None:
        with self.lock:
            self.to_host.extend(packets)

    # usb1.USBDevice

    def getVendorID(self) -> int:
        return self.ids[0]

    def getProductID(self) -> int:
        return self.ids[1]

    def getBusNumber(self) -> int:
        return 1

    def getPortNumberList(self) -> list[int]:
        return list(self.ports)

    def getManufacturer(self) -> str | None:
        return self.open().device.names[0]

    def getProduct(self) -> str | None:
        return self.open().device.names[1]

    def getSerialNumber(self) -> str | None:
        return self.open().device.names[2]

    def getDeviceSpeed(self) -> int:
        return self.speed

    def open(self) -> Handle:
        if self.gone:
            raise USBErrorNoDevice
        if self.refuses in (USBErrorAccess, USBErrorNotSupported):
            raise self.refuses
        return Handle(self)

    # Of the bus

    def _end(self, transfer: Transfer, status: int) -> None:
        transfer.status = status
        self._ended.append(transfer)

    def _end_all(self, status: int) -> None:
        for queue in (self._reads, self._writes):
            while queue:
                self._end(queue.popleft(), status)

    def submitted(self, transfer: Transfer) -> None:
        with self.lock:
            if self.gone:
                raise USBErrorNoDevice
            (self._reads if transfer.endpoint & 0x80 else self._writes).append(transfer)
            self.most_reads = max(self.most_reads, len(self._reads))

    def cancelled(self, transfer: Transfer) -> None:
        with self.lock:
            for queue in (self._reads, self._writes):
                if transfer in queue:
                    queue.remove(transfer)
                    self._end(transfer, TRANSFER_CANCELLED)
                    return
        raise USBErrorNotFound

    def ended(self) -> list[Transfer]:
        """What ended since the last call; bytes pass meanwhile."""
        with self.lock:
            while self._writes and self.takes:
                transfer = self._writes.popleft()
                self.came += transfer.data
                if self.echo:
                    self.to_host.extend(bytes(transfer.data[at : at + 512]) for at in range(0, len(transfer.data), 512))
                self._end(transfer, TRANSFER_COMPLETED)
            while self._reads and self.to_host:
                transfer = self._reads.popleft()
                packet = self.to_host.popleft()
                transfer.data[: len(packet)] = packet
                transfer.length = len(packet)
                self._end(transfer, TRANSFER_COMPLETED)
            ended = list(self._ended)
            self._ended.clear()
            return ended


class Handle:
    """usb1.USBDeviceHandle."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._claims = False

    def claimInterface(self, interface: int) -> None:
        assert interface == 0
        if self.device.claimed or self.device.refuses is USBErrorBusy:
            raise USBErrorBusy
        self.device.claimed = self._claims = True

    def clearHalt(self, endpoint: int) -> None:
        assert self._claims
        self.device.halts_cleared.append(endpoint)

    def getTransfer(self) -> Transfer:
        return Transfer(self.device)

    def close(self) -> None:
        if self._claims:
            self.device.claimed = self._claims = False


class Transfer:
    """usb1.USBTransfer."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.endpoint = 0
        self.data = bytearray()
        self.length = 0
        self.status = TRANSFER_COMPLETED
        self.submitted = False
        self.callback: Callable[[Transfer], None] | None = None

    def setBulk(self, endpoint: int, buffer_or_len: bytes | int, callback: Callable[[Transfer], None]) -> None:
        assert not self.submitted
        self.endpoint, self.data, self.callback = endpoint, bytearray(buffer_or_len), callback

    def submit(self) -> None:
        assert not self.submitted
        assert self.data
        self._device.submitted(self)
        self.submitted = True

    def cancel(self) -> None:
        self._device.cancelled(self)

    def getStatus(self) -> int:
        return self.status

    def getActualLength(self) -> int:
        return self.length

    def getBuffer(self) -> bytearray:
        return self.data


class Usb1:
    """The module, for one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        for name, value in globals().items():
            if name.startswith(("USBError", "SPEED_", "TRANSFER_")):
                setattr(self, name, value)

    def USBContext(self) -> Context:
        return Context(self._bus)


class Context:
    """usb1.USBContext."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._open = False

    def open(self) -> Context:
        if self._bus.library_error is not None:
            raise self._bus.library_error
        self._open = True
        self._bus.contexts += 1
        return self

    def close(self) -> None:
        assert self._open
        self._open = False
        self._bus.contexts -= 1

    def getDeviceIterator(self, skip_on_error: bool) -> Iterator[Device]:
        assert self._open
        yield from (device for device in self._bus.devices if not device.gone)

    def handleEventsTimeout(self, tv: float) -> None:
        assert self._open
        end = time.monotonic() + tv
        while time.monotonic() < end:
            ended = [transfer for device in self._bus.devices for transfer in device.ended()]
            for transfer in ended:
                transfer.submitted = False
                assert transfer.callback is not None
                try:
                    transfer.callback(transfer)
                except Exception as error:  # noqa: BLE001
                    self._bus.lost.append(error)
            if ended:
                return
            time.sleep(0.0005)
