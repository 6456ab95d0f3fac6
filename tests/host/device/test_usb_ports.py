"""Boards by name: which serial port is theirs, and what is said where that is not clear."""

from __future__ import annotations

import os
import tty
from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

import presparse as ps
from presparse import plugins
from presparse.device.links.serial import SerialLink
from presparse.device.usb_ports import find_port, open_board
from presparse.errors import LinkClosed, LinkTimeout, UnknownDevice
from presparse.opening import available
from presparse_boards.boards.registry import BOARDS
from tests.host import small


@pytest.fixture(autouse=True)
def _boards_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that brings the boards, as pip would install it."""
    folder = tmp_path / "boards-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: boards\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[presparse.boards]\nours = presparse_boards.boards.registry:BOARDS\n")
    monkeypatch.syspath_prepend(tmp_path)


def port(
    device: str, usb_id: str = "", *, product: str | None = None, serial: str | None = None, location: str = "1-2"
) -> ListPortInfo:
    """A port as pyserial lists it; `usb_id` is "vendor:product" in hexadecimal."""
    info = ListPortInfo(device)
    if usb_id:
        info.vid, info.pid = (int(number, 16) for number in usb_id.split(":"))
    info.product, info.serial_number, info.location = product, serial, location
    return info


def attach(monkeypatch: pytest.MonkeyPatch, *ports: ListPortInfo) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: list(ports))


UNRELATED = port("/dev/ttyS0")
MODEM = port("/dev/ttyACM0", "1234:5678", product="Modem")


def test_boards_are_known_and_devices() -> None:
    assert set(BOARDS) <= set(plugins.boards().boards)
    assert set(BOARDS) <= set(available())


def test_a_single_port_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch, UNRELATED, MODEM, port("/dev/ttyUSB3", "0403:6015", product="FT231X USB UART"))
    assert find_port(BOARDS["ulx3s-85f"]) == "/dev/ttyUSB3"


@pytest.mark.parametrize("suffixes", [(":1.0", ":1.1"), (":x.0", ":x.1")])
def test_the_right_port_of_two(monkeypatch: pytest.MonkeyPatch, suffixes: tuple[str, str]) -> None:
    """Of an FT2232H, the second."""
    for order in (0, 1), (1, 0):
        attach(monkeypatch, *(port(f"COM{i}", "0403:6010", location="1-2.4" + suffixes[i]) for i in order))
        assert find_port(BOARDS["icebreaker"]) == "COM1"


def test_the_product_name_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    small_one = port("/dev/ttyUSB0", "0403:6015", product="ULX3S FPGA 12K v3.0.3", serial="D00084")
    large_one = port("/dev/ttyUSB1", "0403:6015", product="ULX3S FPGA 85K v3.0.8", serial="D00312")
    attach(monkeypatch, small_one, large_one)
    assert find_port(BOARDS["ulx3s-12f"]) == "/dev/ttyUSB0"
    assert find_port(BOARDS["ulx3s-85f"]) == "/dev/ttyUSB1"
    with pytest.raises(LinkClosed) as raised:
        find_port(BOARDS["ulx3s-45f"])
    assert str(raised.value) == (
        "several ports look like Radiona ULX3S 45F: /dev/ttyUSB0 (ULX3S FPGA 12K v3.0.3, D00084); "
        "/dev/ttyUSB1 (ULX3S FPGA 85K v3.0.8, D00312); name one: ulx3s-45f:PORT"
    )


def test_two_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch, *(port(f"/dev/cu.usb{i}", "0403:6010", location="20-1") for i in range(2)))
    with pytest.raises(
        LinkClosed, match=r"several ports look like .*ECPIX-5 45F: /dev/cu.usb0; /dev/cu.usb1; name one"
    ):
        find_port(BOARDS["ecpix5-45f"])


def test_nothing_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch, MODEM)
    with pytest.raises(LinkClosed) as raised:
        find_port(BOARDS["ulx3s-85f"])
    assert str(raised.value) == (
        "no Radiona ULX3S 85F is attached: no serial port has the USB id 0403:6015 (FT231X); serial ports of this "
        "computer: /dev/ttyACM0 (Modem). Plug it in, or name its port: ulx3s-85f:PORT"
    )
    attach(monkeypatch)
    with pytest.raises(LinkClosed, match="serial ports of this computer: none"):
        ps.open("ulx3s-85f", small.NETWORK)


def test_a_board_without_usb(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch, MODEM)
    with pytest.raises(LinkClosed, match=r"5A-75B 8.x has no USB port .*name its port: colorlight-5a-75b:PORT"):
        ps.open("colorlight-5a-75b", small.NETWORK)


def test_a_named_port_has_the_boards_baud() -> None:
    controller, terminal = os.openpty()
    tty.setraw(terminal)
    try:
        for baud, expected in ((None, 3_000_000), (115_200, 115_200)):
            link = open_board(BOARDS["ulx3s-85f"], os.ttyname(terminal), baud=baud)
            assert isinstance(link, SerialLink)
            assert link.baud == expected
            link.write(b"hello")
            assert os.read(controller, 5) == b"hello"
            link.close()
        with pytest.raises(LinkTimeout):  # the port is there, and nobody answers
            ps.open(f"ulx3s-85f:{os.ttyname(terminal)}", small.NETWORK, timeout=0.05, retries=1)
    finally:
        os.close(terminal)
        os.close(controller)


def test_unknown_names_list_the_boards() -> None:
    with pytest.raises(UnknownDevice, match=r"there is no device 'ulx4s'; devices here: .*ulx3s-85f"):
        ps.open("ulx4s", small.NETWORK)
