"""The OrangeCrab r0.2 with its ECP5-85F or -25F, which does not come with Presparse.

Sources: pins from amaranth-boards (`amaranth_boards.orangecrab_r0_2`); which of them are the header's TX and RX, from
the maker's documentation, https://orangecrab-fpga.github.io/orangecrab-hardware/r0.2/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board
from presparse_boards.families.ecp5.capacity import CAPACITY
from presparse_boards.families.ecp5.family import ECP5

if TYPE_CHECKING:
    from amaranth.vendor import LatticePlatform


def _pins(size: str) -> type[LatticePlatform]:
    # Here, not above: a computer that only lists or drives boards has no Amaranth.
    from amaranth.build import Attrs, Pins, PinsN, Resource, Subsignal
    from amaranth_boards import orangecrab_r0_2

    io = Attrs(IO_TYPE="LVCMOS33")

    class OrangeCrab(getattr(orangecrab_r0_2, f"OrangeCrabR0_2_{size}Platform")):
        resources = [  # noqa: RUF012  the class attribute that Amaranth reads
            *getattr(orangecrab_r0_2, f"OrangeCrabR0_2_{size}Platform").resources,
            # Pins 1 (TX) and 0 (RX) of the header: the USB connector of this board goes straight to the FPGA.
            Resource(
                "uart",
                0,
                Subsignal("tx", Pins("M18", dir="o")),
                Subsignal("rx", Pins("N17", dir="i"), Attrs(PULLMODE="UP")),
                io,
            ),
            # Two colors of the RGB LED.
            Resource("led", 0, PinsN("M3", dir="o"), io),  # green: alive
            Resource("led", 1, PinsN("J3", dir="o"), io),  # blue: bytes come or go
        ]
        default_rst = "button"  # BTN0

    return OrangeCrab


def _board(size: str) -> Board:
    return Board(
        name=f"orangecrab-{size.lower()}",
        title=f"OrangeCrab r0.2 {size}",
        family=ECP5,
        device=f"LFE5U-{size}",
        package="CSFBGA285",
        speed="8",
        capacity=CAPACITY[size],
        oscillator_hz=48_000_000,
        default_clock_hz=96_000_000,
        baud=1_000_000,  # what cheap serial adapters do
        program=("--board", "orangeCrab"),
        pins=lambda: _pins(size),
    )


BOARDS = {board.name: board for board in (_board("25F"), _board("85F"))}
"""What the entry point names: every board by its name."""
