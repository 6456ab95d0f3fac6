"""LambdaConcept ECPIX-5, revision R02. R03 has another USB chip (docs/boards.md).

Sources: pins from amaranth-boards (`amaranth_boards.ecpix5`); the maker's documentation (clock and reset, debug, LEDs,
USB-C: a USB3300, whose reset is high while active), https://docs.lambdaconcept.com/ecpix-5/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board, UsbSerial
from presparse_boards.families.ecp5.capacity import CAPACITY
from presparse_boards.families.ecp5.family import ECP5

if TYPE_CHECKING:
    from amaranth.vendor import LatticePlatform


def _pins(size: str) -> type[LatticePlatform]:
    from amaranth.build import Attrs, Clock, Pins, PinsN, Resource, Subsignal
    from amaranth_boards import ecpix5

    base = {"45F": ecpix5.ECPIX545Platform, "85F": ecpix5.ECPIX585Platform}[size]
    pulled_up = Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")

    class Ecpix5(base):
        resources = [  # noqa: RUF012  the class attribute that Amaranth reads
            *(resource for resource in base.resources if resource.name != "ulpi"),
            # As there, but with its clock, which place-and-route would not know, and with fast edges: the PHY wants
            # what it takes 6 ns before its clock.
            Resource(
                "ulpi",
                0,
                Subsignal("clk", Pins("H24", dir="i"), Clock(60e6)),
                Subsignal("data", Pins("M26 L25 L26 K25 K26 J23 P25 H25", dir="io")),
                Subsignal("dir", Pins("F22", dir="i")),
                Subsignal("nxt", Pins("F23", dir="i")),
                Subsignal("stp", Pins("H23", dir="o")),
                Subsignal("rst", Pins("E23", dir="o")),
                Attrs(IO_TYPE="LVCMOS33", SLEWRATE="FAST"),
            ),
            # Two of the four RGB LEDs, one color each.
            Resource("led", 0, PinsN("R21", dir="o"), pulled_up),  # LD5, green
            Resource("led", 1, PinsN("T24", dir="o"), pulled_up),  # LD6, blue
        ]

    return Ecpix5


def _board(size: str) -> Board:
    return Board(
        name=f"ecpix5-{size.lower()}",
        title=f"LambdaConcept ECPIX-5 {size}",
        family=ECP5,
        device=f"LFE5UM5G-{size}",
        package="CABGA554",
        speed="8",
        capacity=CAPACITY[size],
        oscillator_hz=100_000_000,
        default_clock_hz=100_000_000,
        links=("uart", "usb"),
        baud=6_000_000,  # the FT2232H does 12 Mbaud, but hardly any clock divides down to that
        usb=UsbSerial(chip="FT2232H", vendor_id=0x0403, product_id=0x6010, interface=1, product="ECPIX"),
        program=("--board", "ecpix5"),
        pins=lambda: _pins(size),
    )


BOARDS = tuple(_board(size) for size in ("45F", "85F"))
