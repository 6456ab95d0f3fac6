"""Boards on USB: which is meant, what is told where none can be opened, and bytes through transfers that may end in
every way."""

from __future__ import annotations

import inspect
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import usb1
from serial.tools import list_ports

import presparse as ps
from presparse.contract.usb import ENDPOINT, PRODUCT_ID, VENDOR_ID, product_name
from presparse.device.links import usb
from presparse.device.links.usb import READS, UsbLink
from presparse.device.usb_devices import PERMIT, UDEV_RULE
from presparse.errors import ArgumentError, DeviceInUse, LinkClosed, LinkTimeout, MissingExtra
from tests.host import small
from tests.host.device import fake_usb1
from tests.host.device.fake_usb1 import Bus, Context, Device, Handle, Transfer


@pytest.fixture(name="bus")
def _bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    """An empty one; when the test is over, nothing is left of what was opened on it."""
    bus = Bus()
    monkeypatch.setitem(sys.modules, "usb1", fake_usb1.Usb1(bus))  # type: ignore[arg-type]
    yield bus
    assert bus.lost == []
    assert bus.contexts == 0
    assert not any(device.claimed for device in bus.devices)
    assert not any(thread.name.startswith("usb:") for thread in threading.enumerate())


def plugged(bus: Bus, *devices: Device) -> Device:
    bus.devices.extend(devices)
    return devices[0]


def waited(link: UsbLink, count: int) -> bytes:
    data, end = b"", time.monotonic() + 5
    while len(data) < count and time.monotonic() < end:
        data += link.read(1 << 16, 0.1)
    return data


def test_ids_are_those_of_the_documentation() -> None:
    assert (VENDOR_ID, PRODUCT_ID, ENDPOINT) == (0x1209, 0x0001, 1)
    assert product_name("ecpix5-85f", "digits") == "ecpix5-85f digits"
    assert len(product_name("b" * 90, "n" * 64)) == 126
    assert UDEV_RULE in (Path(__file__).parents[3] / "docs" / "boards.md").read_text()


def test_the_stand_in_is_as_the_package() -> None:
    """Names, values, and what methods are called with."""
    for name, value in vars(fake_usb1).items():
        if name.startswith(("USBError", "SPEED_", "TRANSFER_")):
            real = getattr(usb1, name)
            assert issubclass(real, usb1.USBError) if isinstance(value, type) else real == value, name
    kinds = {Device: usb1.USBDevice, Handle: usb1.USBDeviceHandle, Transfer: usb1.USBTransfer, Context: usb1.USBContext}
    for own, real in kinds.items():
        for name, method in vars(own).items():
            if name.startswith(("get", "set", "claim", "clear", "handle")):
                taken = list(inspect.signature(method).parameters)[1:]
                assert set(taken) <= set(inspect.signature(getattr(real, name)).parameters), name


def test_bytes_there_and_back(bus: Bus) -> None:
    device = plugged(bus, Device())
    link = UsbLink()
    assert link.name == "usb:1-4.2"
    assert device.halts_cleared == [0x01, 0x81]
    data = random.Random(3).randbytes(50_000)
    for at in range(0, len(data), 1040):
        link.write(data[at : at + 1040])
    assert waited(link, len(data)) == data
    assert link.read(10, 0) == b""
    assert device.most_reads == READS
    device.send(b"a" * 500, b"b" * 500)
    got = waited(link, 1000)
    assert got == b"a" * 500 + b"b" * 500
    device.send(b"0123456789")
    assert [link.read(4, 5) for _ in range(3)] == [b"0123", b"4567", b"89"]
    link.close()
    link.close()
    with pytest.raises(LinkClosed, match="was closed; open it again"):
        link.read(1, 0)
    with pytest.raises(LinkClosed, match="was closed; open it again"):
        link.write(b"x")


def test_an_unread_board_waits(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that nobody reads stay with the board, once there are many."""
    monkeypatch.setattr(usb, "_MOST_UNREAD", 10 * 512)
    device = plugged(bus, Device(echo=False))
    link = UsbLink()
    packets = [bytes([index]) * 512 for index in range(200)]
    device.send(*packets)
    time.sleep(0.05)
    assert len(device.to_host) >= 200 - 10 - READS
    assert waited(link, 200 * 512) == b"".join(packets)
    link.close()


def test_a_board_that_takes_nothing(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb, "WRITE_TIMEOUT", 0.05)
    device = plugged(bus, Device())
    device.takes = False
    link = UsbLink()
    for _ in range(usb.WRITES):
        link.write(b"frame")
    with pytest.raises(LinkTimeout, match=r"took nothing for 0\.05 s"):
        link.write(b"frame")
    device.takes = True
    assert waited(link, 5 * usb.WRITES) == b"frame" * usb.WRITES
    link.write(b"more")
    assert waited(link, 4) == b"more"
    link.close()


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (Device.unplug, "it was unplugged, or reset"),
        (lambda device: device.end_one(fake_usb1.TRANSFER_STALL), "it refuses its endpoint"),
        (lambda device: device.end_one(fake_usb1.TRANSFER_TIMED_OUT), "a transfer timed out"),
        (lambda device: device.end_one(fake_usb1.TRANSFER_OVERFLOW), "it sends more than a packet"),
        (lambda device: device.end_one(fake_usb1.TRANSFER_ERROR), "a transfer failed"),
    ],
)
def test_what_ends_a_link(bus: Bus, end: Callable[[Device], None], told: str) -> None:
    """While a thread reads; what had come before can still be read."""
    device = plugged(bus, Device())
    link = UsbLink()
    device.send(b"last")
    while device.to_host:
        time.sleep(0.001)
    threading.Timer(0.03, end, [device]).start()
    assert link.read(10, 5) == b"last"
    with pytest.raises(LinkClosed, match=rf"usb:1-4.2: the board is gone \({told}\); plug it in and open it again"):
        link.read(10, 5)
    with pytest.raises(LinkClosed, match="is gone"):
        link.write(b"x")
    link.close()


def test_closed_by_another_thread(bus: Bus) -> None:
    plugged(bus, Device())
    link = UsbLink()
    threading.Timer(0.05, link.close).start()
    began = time.monotonic()
    with pytest.raises(LinkClosed, match="was closed"):
        link.read(10, 10)
    assert time.monotonic() - began < 2
    link.close()


def test_ctrl_c_ends_a_read_and_harms_nothing(bus: Bus) -> None:
    plugged(bus, Device())
    link = UsbLink()
    main = threading.get_ident()
    threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        link.read(10, 10)
    link.write(b"still there")
    assert waited(link, 11) == b"still there"
    link.close()


def test_which_board_is_meant(bus: Bus) -> None:
    plugged(bus, Device(), Device(product="ecpix5-45f mnist", serial="feed", ports=(3,)))
    plugged(bus, Device(manufacturer="Somebody", ports=(5,)), Device(ids=(0x1209, 0x0002), ports=(6,)))
    for wanted, board, place in (
        ("feed", "", "1-3"),
        ("1-4.2", "", "1-4.2"),
        ("", "ecpix5-45f", "1-3"),
    ):
        link = UsbLink(wanted, board)
        assert link.name == f"usb:{place}"
        link.close()
    there = "usb:1-3 (ecpix5-45f mnist, feed); usb:1-4.2 (ecpix5-85f digits, 0123456789abcdef)"
    with pytest.raises(LinkClosed) as raised:
        UsbLink()
    assert str(raised.value) == (f"usb: several boards are on USB: {there}; name one by its serial number or its place")
    with pytest.raises(LinkClosed) as raised:
        UsbLink("beef")
    assert str(raised.value) == (
        f"usb:beef: no such board is on USB; boards there: {there}. Plug it in at the USB port of its FPGA, and "
        "program it with a bitstream that was built with --link usb"
    )


def test_why_a_board_cannot_be_opened(bus: Bus) -> None:
    with pytest.raises(LinkClosed, match="boards there: none"):
        UsbLink()
    device = plugged(bus, Device(refuses=fake_usb1.USBErrorAccess))
    with pytest.raises(LinkClosed) as raised:
        UsbLink()
    assert str(raised.value) == f"usb:1-4.2: no permission to open it; on Linux run: {PERMIT}"
    assert 'ATTR{idVendor}=="1209", ATTR{idProduct}=="0001"' in PERMIT
    device.refuses = fake_usb1.USBErrorBusy
    with pytest.raises(DeviceInUse, match=r"usb:1-4.2: another program has it open; close that one"):
        UsbLink()
    device.refuses = fake_usb1.USBErrorNotSupported
    with pytest.raises(LinkClosed, match="another driver than WinUSB"):
        UsbLink()
    device.refuses, device.speed = None, fake_usb1.SPEED_FULL
    with pytest.raises(LinkClosed, match="not attached at high speed"):
        UsbLink()


def test_what_is_not_installed(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.library_error = OSError("libusb-1.0.so.0: cannot open shared object file")
    with pytest.raises(MissingExtra, match=r"needs the library libusb 1\.0: sudo apt-get install libusb-1.0-0"):
        ps.open("usb:", small.NETWORK)
    monkeypatch.setitem(sys.modules, "usb1", None)
    with pytest.raises(MissingExtra, match=r"libusb1: pip install 'presparse\[usb\]'"):
        ps.open("usb:", small.NETWORK)


def test_a_board_by_its_name(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over USB if it is there, by its serial port if not; `link` chooses."""
    monkeypatch.setattr(list_ports, "comports", list)
    with pytest.raises(LinkClosed, match="no serial port has the USB id"):
        ps.open("ecpix5-85f", small.NETWORK)
    device = plugged(bus, Device(echo=False))
    with pytest.raises(LinkTimeout, match="no answer to IDENTIFY"):
        ps.open("ecpix5-85f", small.NETWORK, timeout=0.01, retries=0)
    assert device.came
    with pytest.raises(LinkClosed, match="no serial port has the USB id"):
        ps.open("ecpix5-85f", small.NETWORK, link="uart")
    with pytest.raises(LinkClosed, match="no serial port has the USB id"):
        ps.open("ecpix5-45f", small.NETWORK)
    with pytest.raises(LinkClosed, match="ecpix5-45f: no such board is on USB"):
        ps.open("ecpix5-45f", small.NETWORK, link="usb")
    with pytest.raises(ArgumentError, match="link of ulx3s-85f must be uart, and is 'usb'"):
        ps.open("ulx3s-85f", small.NETWORK, link="usb")
    with pytest.raises(ArgumentError, match="device 'usb:' has no option 'baud'; its own are: none"):
        ps.open("usb:", small.NETWORK, baud=9600)
