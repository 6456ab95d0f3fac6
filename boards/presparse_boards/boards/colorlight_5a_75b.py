"""Colorlight 5A-75B, a receiver card for LED walls, revisions 8.0 to 8.2.

It has no USB: docs/boards.md says how to wire it.

Sources: the pins that q3k, miek and others measured, https://github.com/q3k/chubby75 (5a-75b/hardware_V8.0.md and
hardware_V8.2.md). Revision 8.2 comes with a faster grade (7) of the same FPGA; grade 6 is safe for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board
from presparse_boards.families.ecp5.capacity import CAPACITY
from presparse_boards.families.ecp5.family import ECP5
from presparse_hw.store.sdram.chip import M12L64322A

if TYPE_CHECKING:
    from amaranth.vendor import LatticePlatform


def _pins() -> type[LatticePlatform]:
    from amaranth.build import Attrs, Clock, Pins, Resource, Subsignal
    from amaranth.vendor import LatticeECP5Platform
    from amaranth_boards.resources import SDRAMResource

    io = Attrs(IO_TYPE="LVCMOS33")

    class Colorlight5A75B(LatticeECP5Platform):
        device = "LFE5U-25F"
        package = "BG256"
        speed = "6"
        default_clk = "clk25"
        resources = [  # noqa: RUF012  the class attribute that Amaranth reads
            # From one of the Ethernet chips: it stops while that is in reset.
            Resource("clk25", 0, Pins("P6", dir="i"), Clock(25e6), io),
            # J19 has the only pins that can be inputs: DATA_LED- sends (and so that LED flickers), KEY+ receives.
            Resource(
                "uart",
                0,
                Subsignal("tx", Pins("T6", dir="o")),
                Subsignal("rx", Pins("R7", dir="i"), Attrs(PULLMODE="UP")),
                io,
            ),
            # J1, pin 1, behind a 5 V buffer: room for a LED with its resistor.
            Resource("led", 0, Pins("C4", dir="o"), io),
            # Chip select and the byte masks are tied low, CKE high.
            SDRAMResource(
                0,
                clk="C8",
                we_n="B5",
                ras_n="B6",
                cas_n="A6",
                ba="B7 A8",
                a="A9 B9 B10 C10 D9 C9 E9 D8 E8 C7 B8",
                dq="B2 A2 C3 A3 B3 A4 B4 A5 E7 C6 D7 D6 E6 D5 C5 E5 "
                "A11 B11 B12 A13 B13 A14 B14 D14 D13 E11 C13 D11 C12 E10 C11 D10",
                attrs=Attrs(IO_TYPE="LVCMOS33", SLEWRATE="FAST"),
            ),
        ]
        connectors = []  # noqa: RUF012

    return Colorlight5A75B


BOARDS = (
    Board(
        name="colorlight-5a-75b",
        title="Colorlight 5A-75B 8.x",
        family=ECP5,
        device="LFE5U-25F",
        package="CABGA256",
        speed="6",
        capacity=CAPACITY["25F"],
        oscillator_hz=25_000_000,
        default_clock_hz=100_000_000,
        baud=1_000_000,  # what cheap adapters do
        sdram=M12L64322A,
        program=("--board", "colorlight", "--cable", "ft232"),
        pins=_pins,
    ),
)
