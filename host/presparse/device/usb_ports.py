"""Boards by name: where they are attached, on USB themselves or by which serial port, and how fast that is.

What boards there are comes from entry points of the group `presparse.boards`: mappings of names to boards. The host
never imports what builds bitstreams for them, and neither does such a mapping.
"""

from __future__ import annotations

import re
from typing import Protocol, runtime_checkable

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from presparse.device.links.link import Link
from presparse.device.links.serial import SerialLink
from presparse.device.links.usb import UsbLink
from presparse.device.usb_devices import is_attached
from presparse.errors import ArgumentError, LinkClosed


class UsbSerial(Protocol):
    """How a board's serial port looks on USB."""

    @property
    def chip(self) -> str: ...
    @property
    def vendor_id(self) -> int: ...
    @property
    def product_id(self) -> int: ...
    @property
    def interface(self) -> int | None:
        """Which of the chip's ports; None: it has but one."""
        ...

    @property
    def product(self) -> str:
        """A piece of the product name that chips on such boards were given; some have none."""
        ...


@runtime_checkable
class Board(Protocol):
    """What a host knows of a board."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def baud(self) -> int: ...
    @property
    def usb(self) -> UsbSerial | None: ...
    @property
    def links(self) -> tuple[str, ...]:
        """What its bitstreams can be reached by: "uart", "usb"."""
        ...


def open_board(board: Board, port: str | None = None, *, baud: int | None = None, link: str | None = None) -> Link:
    """The link to a board: over its own USB if it is there with a bitstream that has that; else at its baud rate, on
    `port` or wherever it is attached.

    `link` is "usb" or "uart" to have that alone. Raises as `UsbLink` or `SerialLink`, and ArgumentError for a link
    that the board does not have.
    """
    if link is not None and link not in board.links:
        raise ArgumentError(f"link of {board.name} must be {' or '.join(board.links)}, and is {link!r}")
    if port is None and link != "uart" and "usb" in board.links and (link == "usb" or is_attached(board.name)):
        return UsbLink(board=board.name)
    return SerialLink(port or find_port(board), baud=board.baud if baud is None else baud)


def find_port(board: Board) -> str:
    """The serial port of the one such board that is attached.

    Raises LinkClosed, saying what was looked for, if there is none, or more than one.
    """
    usb = board.usb
    if usb is None:
        raise LinkClosed(
            f"{board.title} has no USB port of its own: connect an adapter for serial ports (docs/boards.md says to "
            f"which pins), and name its port: {board.name}:PORT"
        )
    ports = list_ports.comports()
    alike = [port for port in ports if _matches(port, usb)]
    named = [port for port in alike if usb.product and usb.product.lower() in (port.product or "").lower()]
    found = named or alike
    if len(found) == 1:
        return found[0].device
    if found:
        raise LinkClosed(
            f"several ports look like {board.title}: {'; '.join(map(_describe, found))}; name one: {board.name}:PORT"
        )
    there = "; ".join(map(_describe, ports)) or "none"
    raise LinkClosed(
        f"no {board.title} is attached: no serial port has the USB id {usb.vendor_id:04x}:{usb.product_id:04x} "
        f"({usb.chip}); serial ports of this computer: {there}. Plug it in, or name its port: {board.name}:PORT"
    )


def _matches(port: ListPortInfo, usb: UsbSerial) -> bool:
    if (port.vid, port.pid) != (usb.vendor_id, usb.product_id):
        return False
    # Linux and Windows end the location of a chip with several ports in ":1.0", ":1.1" (":x.1"); macOS does not say.
    interface = re.search(r":\w+\.(\d+)$", port.location or "")
    return usb.interface is None or interface is None or int(interface[1]) == usb.interface


def _describe(port: ListPortInfo) -> str:
    about = ", ".join(text for text in (port.product, port.serial_number) if text)
    return f"{port.device} ({about})" if about else port.device
