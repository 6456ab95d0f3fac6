"""Icy Electronics Icepi Zero, revision 1.3.

Sources: pins from amaranth-boards (`amaranth_boards.icepi_zero`), compared with litex-boards (`icepi_zero`, written by
the board's designer); parts from the board's own https://github.com/cheyao/icepi-zero (hardware, production/bom.csv).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board, UsbSerial
from presparse_boards.families.ecp5.capacity import CAPACITY
from presparse_boards.families.ecp5.family import ECP5
from presparse_hw.store.sdram.chip import W9825G6KH

if TYPE_CHECKING:
    from amaranth.vendor import LatticePlatform


def _pins() -> type[LatticePlatform]:
    from amaranth_boards import icepi_zero

    class IcepiZero(icepi_zero.IcepiZero1_3Platform):
        default_rst = "button"  # the first one, low while pressed

    return IcepiZero


BOARDS = (
    Board(
        name="icepi-zero",
        title="Icy Electronics Icepi Zero 1.3",
        family=ECP5,
        device="LFE5U-25F",
        package="CABGA256",
        speed="6",
        capacity=CAPACITY["25F"],
        oscillator_hz=50_000_000,
        default_clock_hz=100_000_000,
        baud=3_000_000,  # the most that an FT231X does
        sdram=W9825G6KH,
        usb=UsbSerial(chip="FT231X", vendor_id=0x0403, product_id=0x6015),
        program=("--board", "icepi-zero"),
        pins=_pins,
    ),
)
