"""Digilent Arty A7, revision E. Bitstreams need AMD's Vivado; Presparse writes a project for it.

Sources: pins from amaranth-boards (`amaranth_boards.arty_a7`), compared with Digilent's master constraint files,
https://github.com/Digilent/digilent-xdc; AMD DS180 (7 Series overview).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board, UsbSerial
from presparse_boards.families.xc7.family import XC7
from presparse_boards.resources.capacity import Capacity

if TYPE_CHECKING:
    from amaranth.vendor import XilinxPlatform


def _pins(size: str) -> type[XilinxPlatform]:
    from amaranth_boards import arty_a7

    return {"35": arty_a7.ArtyA7_35Platform, "100": arty_a7.ArtyA7_100Platform}[size]


def _board(size: str, capacity: Capacity) -> Board:
    return Board(
        name=f"arty-a7-{size}t",
        title=f"Digilent Arty A7-{size}T",
        family=XC7,
        device=f"xc7a{size}ti",
        package="csg324",
        speed="1L",
        capacity=capacity,
        oscillator_hz=100_000_000,
        default_clock_hz=100_000_000,
        baud=6_000_000,  # the FT2232H does 12 Mbaud, but hardly any clock divides down to that
        usb=UsbSerial(chip="FT2232H", vendor_id=0x0403, product_id=0x6010, interface=1, product="Digilent"),
        program=("--board", f"arty_a7_{size}t"),
        pins=lambda: _pins(size),
    )


BOARDS = (
    _board("35", Capacity(lut=20_800, ff=41_600, dsp=90, block_ram=50, distributed_ram=6_400)),
    _board("100", Capacity(lut=63_400, ff=126_800, dsp=240, block_ram=135, distributed_ram=19_000)),
)
