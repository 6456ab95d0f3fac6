"""Radiona ULX3S, revisions 2.x and 3.x.

Sources: pins from amaranth-boards (`amaranth_boards.ulx3s`), compared with the constraint file and the schematic of
the board's own repository, https://github.com/emard/ulx3s (doc/constraints/ulx3s_v20.lpf).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board, UsbSerial
from presparse_boards.families.ecp5.capacity import CAPACITY
from presparse_boards.families.ecp5.family import ECP5
from presparse_hw.store.sdram.chip import MT48LC16M16A2

if TYPE_CHECKING:
    from amaranth.vendor import LatticePlatform


def _pins(size: str) -> type[LatticePlatform]:
    from amaranth_boards import ulx3s

    class Ulx3s(getattr(ulx3s, f"ULX3S_{size}_Platform")):
        default_rst = "button_fire"  # FIRE1, high while pressed

    return Ulx3s


def _board(size: str) -> Board:
    return Board(
        name=f"ulx3s-{size.lower()}",
        title=f"Radiona ULX3S {size}",
        family=ECP5,
        device=f"LFE5U-{size}",
        package="CABGA381",
        speed="6",
        capacity=CAPACITY[size],
        oscillator_hz=25_000_000,
        default_clock_hz=100_000_000,
        baud=3_000_000,  # the most that an FT231X does
        sdram=MT48LC16M16A2,
        usb=UsbSerial(chip="FT231X", vendor_id=0x0403, product_id=0x6015, product=f"ULX3S FPGA {size[:-1]}K"),
        program=("--board", "ulx3s"),
        pins=lambda: _pins(size),
    )


BOARDS = tuple(_board(size) for size in ("12F", "25F", "45F", "85F"))
