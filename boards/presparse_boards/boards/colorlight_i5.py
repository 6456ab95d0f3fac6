"""Colorlight i5, a receiver card for LED walls as a plug-in module, revision 7.0, on Muse Lab's extension board.

Sources: https://github.com/wuxx/Colorlight-FPGA-Projects (README.md: FPGA, clock, LED, SDRAM; the extension board's
schematic: serial port of its debugger), https://tomverbeure.github.io/2021/01/30/Colorlight-i5-Extension-Board-Pin-Mapping.html.
litex-boards (`colorlight_i5`) has the same pins for the SDRAM, its data in another order: no matter without byte masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board, UsbSerial
from presparse_boards.families.ecp5.capacity import CAPACITY
from presparse_boards.families.ecp5.family import ECP5
from presparse_hw.store.sdram.chip import EM638325

if TYPE_CHECKING:
    from amaranth.vendor import LatticePlatform


def _pins() -> type[LatticePlatform]:
    from amaranth.build import Attrs, Clock, Pins, PinsN, Resource, Subsignal
    from amaranth.vendor import LatticeECP5Platform
    from amaranth_boards.resources import SDRAMResource

    io = Attrs(IO_TYPE="LVCMOS33")

    class ColorlightI5(LatticeECP5Platform):
        device = "LFE5U-25F"
        package = "BG381"
        speed = "6"
        default_clk = "clk25"
        resources = [  # noqa: RUF012  the class attribute that Amaranth reads
            Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), io),
            Resource("led", 0, PinsN("U16", dir="o"), io),  # D2 on the module
            Resource(
                "uart",
                0,
                Subsignal("tx", Pins("J17", dir="o")),
                Subsignal("rx", Pins("H18", dir="i"), Attrs(PULLMODE="UP")),
                io,
            ),
            # Chip select and the byte masks are tied low, CKE high.
            SDRAMResource(
                0,
                clk="B9",
                we_n="A10",
                ras_n="B10",
                cas_n="A9",
                ba="B11 C8",
                a="B13 C14 A16 A17 B16 B15 A14 A13 A12 A11 B12",
                dq="B6 A5 A6 A7 C7 B8 B5 A8 D8 D7 E8 D6 C6 D5 E7 C5 "
                "C10 D9 E11 D11 C11 D12 E9 C12 E14 C15 E13 D15 E12 B17 D14 D13",
                attrs=Attrs(IO_TYPE="LVCMOS33", SLEWRATE="FAST"),
            ),
        ]
        connectors = []  # noqa: RUF012

    return ColorlightI5


BOARDS = (
    Board(
        name="colorlight-i5",
        title="Colorlight i5 7.0",
        family=ECP5,
        device="LFE5U-25F",
        package="CABGA381",
        speed="6",
        capacity=CAPACITY["25F"],
        oscillator_hz=25_000_000,
        default_clock_hz=100_000_000,
        baud=500_000,  # the debugger takes every byte in an interrupt
        sdram=EM638325,
        usb=UsbSerial(chip="DAPLink", vendor_id=0x0D28, product_id=0x0204),
        program=("--board", "colorlight-i5"),
        pins=_pins,
    ),
)
