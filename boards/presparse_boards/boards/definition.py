"""What a board is: its FPGA, what fits into it, its clock, its serial port. Nothing here imports Amaranth until a board
is asked for its platform."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from presparse.contract.wire import WINDOW
from presparse.messages.bundle import LinkKind
from presparse_boards.clocking.solver import Limits
from presparse_boards.errors import BoardError
from presparse_boards.families.family import FpgaFamily
from presparse_boards.resources.capacity import Capacity
from presparse_hw.store.sdram.chip import SdramChip

if TYPE_CHECKING:
    from amaranth.build import Platform

USB_WINDOW = 16
"""Requests under way at once over USB: 16 KiB, which take 0.4 ms, longer than a host needs to send the next."""
USB_TAKES = {"lut": 2027, "ff": 946, "block_ram": 3}
"""What a link by USB takes of an ECP5, beside that by UART: a routed build of `digits-small` less one with a UART."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
"""It is part of file names, and `NAME:PORT` names a device."""


@dataclass(frozen=True, kw_only=True)
class UsbSerial:
    """How a board's serial port looks on USB."""

    chip: str
    vendor_id: int
    product_id: int
    interface: int | None = None
    """Which of the chip's ports is the UART (FT2232H: 0 is JTAG, 1 the UART); None: it has but one."""
    product: str = ""
    """A piece of the product name that boards of this kind have, if their chip was given a name at all."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board with one FPGA. Raises BoardError for a name, a baud rate or a window that no board can have."""

    name: str
    """What users type: "ulx3s-85f"; lower-case letters, digits and hyphens."""
    title: str
    """Maker's name and revision."""
    family: FpgaFamily
    device: str
    """As its Amaranth platform has it."""
    package: str
    speed: str
    """Speed grade."""
    capacity: Capacity
    oscillator_hz: int
    default_clock_hz: int
    """Of the core, unless a build asks for another."""
    baud: int
    """Of the UART, in every build for this board: a build's clock is chosen so that the UART can make it."""
    links: tuple[LinkKind, ...] = ("uart",)
    """What a build's bytes can come by: the UART, or USB by a ULPI PHY. The first, unless a build asks for another."""
    link: LinkKind = "uart"
    """What they do come by (`with_link`)."""
    window: int = WINDOW
    """Requests that the link holds at once, a power of two: 2 KiB of block RAM each."""
    sdram: SdramChip | None = None
    """SDRAM on the FPGA's pins, to store samples in."""
    usb: UsbSerial | None = None
    """The board's own USB serial port; None: an adapter on the pins that docs/boards.md names."""
    program: tuple[str, ...]
    """Arguments of openFPGALoader that choose this board."""
    program_to: Literal["ram", "flash"] = "ram"
    """Where `program` puts a bitstream: lost without power, or not."""
    pins: Callable[[], type[Platform]]
    """The class of the Amaranth platform that names the pins (imports Amaranth): the oscillator as its `default_clk`,
    the resource `uart` 0 with `rx` and `tx`, and if there are any `led` 0 and 1, a button as `default_rst`, and the
    resource `sdram` 0 (`amaranth_boards.resources.SDRAMResource`); with USB, `ulpi` 0 with `clk` (and its Clock),
    `data`, `dir`, `nxt`, `stp` and `rst`."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BoardError(
                f"a board's name must be lower-case letters, digits and hyphens (ulx3s-85f), and is {self.name!r}"
            )
        if self.baud < 1 or self.oscillator_hz < 1 or self.default_clock_hz < 1:
            raise BoardError(
                f"board {self.name}: baud, oscillator_hz and default_clock_hz must be positive, and are {self.baud}, "
                f"{self.oscillator_hz} and {self.default_clock_hz}"
            )
        if self.window < 1 or self.window & self.window - 1:
            raise BoardError(f"board {self.name}: window must be a power of two, and is {self.window}")
        if self.sdram and not self.family.sdram:
            raise BoardError(
                f"board {self.name}: sdram is {self.sdram.name}, and nothing drives an SDRAM from an FPGA of family "
                f"{self.family.name}; leave it out"
            )

    def with_link(self, link: LinkKind | None) -> Board:
        """The board for a build with this link; None: its usual one. Raises BoardError if it does not have it."""
        if link is None or link == self.link:
            return self
        if link not in self.links:
            raise BoardError(f"{self.name}: link must be {' or '.join(self.links)}, and is {link}")
        return replace(self, link=link, window=USB_WINDOW)

    @property
    def room(self) -> Capacity:
        """What USB leaves of the FPGA to everything else."""
        taken = USB_TAKES if self.link == "usb" else {}
        return replace(self.capacity, **{what: getattr(self.capacity, what) - count for what, count in taken.items()})

    @property
    def pll_limits(self) -> Limits:
        """Of the FPGA's PLL."""
        return self.family.pll_limits

    @property
    def full_device(self) -> str:
        """FPGA, package and speed grade."""
        return " ".join(part for part in (self.device, self.package, self.speed) if part)

    def platform(self) -> Platform:
        """A fresh Amaranth platform for one elaboration, with the family's own multipliers and memories.

        Raises BoardError, naming what the platform lacks.
        """
        try:
            pins = self.pins()
        except ImportError as error:
            raise BoardError(
                f"board {self.name}: its pins need the Python package {error.name}, which cannot be imported: {error}; "
                "install it, or mend the board's `pins`"
            ) from error
        mixins = (self.family.primitives(),) if self.family.primitives else ()
        try:
            platform: Any = type(pins.__name__, (*mixins, pins), {})()
        except TypeError as error:
            raise BoardError(
                f"board {self.name}: `pins` must return a class of Amaranth platform that can be made as it is: {error}"
            ) from error
        if missing := _missing(self, platform):
            raise BoardError(f"board {self.name}: its platform {pins.__name__} {missing}")
        return platform


def _missing(board: Board, platform: Any) -> str:
    """What an accelerator needs and the platform has not, and how to mend it; empty if nothing is missing."""
    there = platform.resources
    clock = platform.default_clk
    if clock is None or (clock, 0) not in there:
        return f"has no oscillator: default_clk must name one of its resources with a Clock, and is {clock!r}"
    hz = there[clock, 0].clock.frequency if there[clock, 0].clock else 0
    if round(hz) != board.oscillator_hz:
        return f"has an oscillator {clock!r} of {hz:,.0f} Hz, and the board's oscillator_hz is {board.oscillator_hz:,}"
    if ("uart", 0) not in there:
        return 'has no serial port: add Resource("uart", 0, Subsignal("rx", ...), Subsignal("tx", ...))'
    if lacking := {"rx", "tx"} - {part.name for part in there["uart", 0].ios if hasattr(part, "ios")}:
        return f"has a resource uart 0 without {' and '.join(sorted(lacking))}: add a Subsignal of that name"
    if "usb" in board.links and ("ulpi", 0) not in there:
        return "has no USB PHY, and the board's links name USB: add Resource(\"ulpi\", 0, ...) with the PHY's pins"
    if platform.default_rst is not None and (platform.default_rst, 0) not in there:
        return f"has no resource {platform.default_rst!r}, which its default_rst names"
    if platform.device != board.device:
        return f"is for the FPGA {platform.device}, and the board's device is {board.device}"
    return _missing_sdram(board.sdram, there) if board.sdram else ""


def _missing_sdram(chip: SdramChip, there: Any) -> str:
    """The same of the pins of the board's SDRAM."""
    if ("sdram", 0) not in there:
        return f"has no SDRAM, and the board's is {chip.name}: add SDRAMResource(0, ...) of amaranth_boards.resources"
    needed = {"clk": 1, "we": 1, "ras": 1, "cas": 1, "ba": chip.bank_bits, "a": chip.address_pins, "dq": chip.width}
    pins = {part.name: len(part.ios[0].names) for part in there["sdram", 0].ios if hasattr(part, "ios")}
    wrong = [f"{name} of {pins.get(name, 0)} pins" for name, width in needed.items() if pins.get(name) != width]
    if wrong:
        listed = ", ".join(f"{name} {width}" for name, width in needed.items())
        return (
            f"has a resource sdram 0 with {', '.join(wrong)}, and {chip.name} has {listed}: mend its pins or the chip"
        )
    return ""
