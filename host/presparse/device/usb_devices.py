"""Boards on this computer's USB: which there are, which is meant, and why one cannot be opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from presparse.contract.usb import MANUFACTURER, PRODUCT_ID, VENDOR_ID
from presparse.errors import DeviceInUse, LinkClosed, MissingExtra

UDEV_RULE = (
    f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{VENDOR_ID:04x}", ATTR{{idProduct}}=="{PRODUCT_ID:04x}", '
    'MODE="0660", GROUP="dialout", TAG+="uaccess"'
)
"""Whoever is at the computer, and the group that has its serial ports, may use boards on USB (Linux)."""
PERMIT = (
    f"echo '{UDEV_RULE}' | sudo tee /etc/udev/rules.d/60-presparse.rules && sudo udevadm control --reload && "
    "sudo udevadm trigger"
)
"""The command that installs it."""
INSTALL_PACKAGE = "pip install 'presparse[usb]'"
INSTALL_LIBRARY = "sudo apt-get install libusb-1.0-0"


@dataclass(frozen=True, kw_only=True)
class UsbDevice:
    """One that has the ids of Presparse's boards, and is none of somebody else's."""

    place: str
    """Bus and ports, as Linux names them: "1-4.2"."""
    product: str = ""
    """The board's name, and its network's."""
    serial: str = ""
    """Of the bitstream, so boards with the same one have the same."""
    refusal: LinkClosed | None = None
    """Why product and serial are unknown."""
    device: Any
    """A usb1.USBDevice."""

    def is_board(self, name: str) -> bool:
        """It is, or may be, a board of this name."""
        return self.refusal is not None or self.product.partition(" ")[0] == name

    def __str__(self) -> str:
        return f"usb:{self.place} ({self.product}, {self.serial})" if self.product else f"usb:{self.place}"


def library() -> ModuleType:
    """The Python package usb1. Raises MissingExtra if it is not installed."""
    try:
        import usb1
    except ImportError as error:
        raise MissingExtra(f"a board on USB needs the Python package libusb1: {INSTALL_PACKAGE}") from error
    return usb1


@contextmanager
def usb_context() -> Iterator[Any]:
    """A usb1.USBContext, closed behind the block. Raises MissingExtra if libusb is not installed."""
    usb1 = library()
    context = usb1.USBContext()
    try:
        context.open()
    except OSError as error:
        raise MissingExtra(
            f"a board on USB needs the library libusb 1.0: {INSTALL_LIBRARY} (macOS: brew install libusb)"
        ) from error
    except usb1.USBError as error:
        raise LinkClosed(f"libusb cannot be used here ({error}); look whether USB devices are open to you") from error
    try:
        yield context
    finally:
        context.close()


def attached(context: Any) -> list[UsbDevice]:
    """All that are there, by their place."""
    usb1 = library()
    found = []
    for device in context.getDeviceIterator(skip_on_error=True):
        if (device.getVendorID(), device.getProductID()) != (VENDOR_ID, PRODUCT_ID):
            continue
        place = f"{device.getBusNumber()}-{'.'.join(map(str, device.getPortNumberList()))}"
        try:
            if device.getManufacturer() == MANUFACTURER:
                product, serial = device.getProduct() or "", device.getSerialNumber() or ""
                found.append(UsbDevice(place=place, product=product, serial=serial, device=device))
        except (usb1.USBErrorNoDevice, ValueError):  # it has just gone, or has no names that make sense
            continue
        except usb1.USBError as error:
            found.append(UsbDevice(place=place, refusal=explained(f"usb:{place}", error), device=device))
    return sorted(found, key=lambda one: one.place)


def is_attached(board: str) -> bool:
    """A board of this name is, or may be, there. Without libusb, nobody knows: False."""
    try:
        with usb_context() as context:
            return any(device.is_board(board) for device in attached(context))
    except (MissingExtra, LinkClosed):
        return False


def chosen(devices: list[UsbDevice], wanted: str, board: str) -> UsbDevice:
    """The one whose serial number or place is `wanted` (empty: any) and whose board's name is `board` (likewise).

    Raises LinkClosed if there is none, naming those there are, or more than one, or if it must not be opened.
    """
    meant = [
        one
        for one in devices
        if (not wanted or wanted in (one.serial, one.place)) and (not board or one.is_board(board))
    ]
    name = board or (f"usb:{wanted}" if wanted else "usb")
    there = "; ".join(map(str, devices)) or "none"
    if len(meant) > 1:
        raise LinkClosed(f"{name}: several boards are on USB: {there}; name one by its serial number or its place")
    if not meant:
        raise LinkClosed(
            f"{name}: no such board is on USB; boards there: {there}. Plug it in at the USB port of its FPGA, and "
            f"program it with a bitstream that was built with --link usb"
        )
    if meant[0].refusal is not None:
        raise meant[0].refusal
    return meant[0]


def explained(name: str, error: Exception) -> LinkClosed:
    """What to do about an error of usb1's in opening a device."""
    usb1 = library()
    if isinstance(error, usb1.USBErrorAccess):
        return LinkClosed(f"{name}: no permission to open it; on Linux run: {PERMIT}")
    if isinstance(error, usb1.USBErrorBusy):
        return DeviceInUse(f"{name}: another program has it open; close that one")
    if isinstance(error, usb1.USBErrorNotSupported):
        return LinkClosed(f"{name}: another driver than WinUSB has it; choose that for it (with Zadig, say)")
    return LinkClosed(f"{name}: cannot be opened ({error}); plug it in again, and look at its cable")
