"""What a board is: its FPGA, what fits into it, its clock, its serial port. Nothing here imports Amaranth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from presparse.contract.errors import PresparseError
from presparse.contract.wire import WINDOW

if TYPE_CHECKING:
    from amaranth.build import Platform

Family = Literal["ecp5", "ice40", "xc7"]


class BoardError(PresparseError, ValueError):
    """A board that is not known, or something that a board cannot do."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What an FPGA has of each kind."""

    lut: int
    """LUT4s (xc7: LUT6s)."""
    ff: int
    """Flip-flops."""
    dsp: int
    """Multipliers."""
    dsp_width: int
    """Bits of both operands, signed: ECP5 18, iCE40 16, xc7 18 (one of them 25)."""
    block_ram: int
    """Blocks of `block_ram_bits`."""
    block_ram_bits: int
    """Bits of one block: ECP5 DP16KD 18 Ki, iCE40 SB_RAM40_4K 4 Ki, xc7 RAMB36 36 Ki."""
    distributed_ram: int
    """Cells of 16 words of 4 bits, one write and one read port (ECP5: TRELLIS_DPR16X4)."""
    single_port_ram: int = 0
    """Blocks of 16 Ki words of 16 bits that are either read or written (iCE40UP: SB_SPRAM256KA)."""


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
    """One board with one FPGA."""

    name: str
    """What users type: "ulx3s-85f"."""
    title: str
    """Maker's name and revision."""
    family: Family
    device: str
    package: str
    speed: str
    """Speed grade."""
    capacity: Capacity
    oscillator_hz: int
    default_clock_hz: int
    """Of the core, unless a build asks for another."""
    baud: int
    """Of the UART, in every build for this board: a build's clock is chosen so that the UART can make it."""
    window: int = WINDOW
    """Requests that the link holds at once, a power of two: 2 KiB of block RAM each."""
    usb: UsbSerial | None = None
    """The board's own USB serial port; None: an adapter on the pins that docs/boards.md names."""
    program: tuple[str, ...]
    """Arguments of openFPGALoader that choose this board."""
    program_to: Literal["ram", "flash"] = "ram"
    """Where `program` puts a bitstream: lost without power, or not."""
    vendor_tool: str | None = None
    """Needed to make a bitstream; None: open tools do it."""
    platform: Callable[[], Platform]
    """A fresh Amaranth platform (imports Amaranth)."""
