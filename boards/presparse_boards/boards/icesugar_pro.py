"""Muse Lab iCESugar-pro, revision 1.3: a module whose debugger, iCELink, is a serial port as well.

Sources: pins from amaranth-boards (`amaranth_boards.icesugar_pro`), compared with the maker's constraint file in
https://github.com/wuxx/icesugar-pro (src/litex_linux/top_bg256.lpf), whose issue 22 has the USB ids and how to program
it, and with litex-boards (`muselab_icesugar_pro`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board, UsbSerial
from presparse_boards.families.ecp5.capacity import CAPACITY
from presparse_boards.families.ecp5.family import ECP5
from presparse_hw.store.sdram.chip import IS42S16160

if TYPE_CHECKING:
    from amaranth.vendor import LatticePlatform


def _pins() -> type[LatticePlatform]:
    from amaranth.build import Attrs, PinsN, Resource
    from amaranth_boards import icesugar_pro

    base = icesugar_pro.ICESugarProPlatform
    io = Attrs(IO_TYPE="LVCMOS33")

    class IceSugarPro(base):
        resources = [  # noqa: RUF012  the class attribute that Amaranth reads
            *base.resources,
            # Two colors of the RGB LED, which lights what is low; which is which differs by source.
            Resource("led", 0, PinsN("A11", dir="o"), io),
            Resource("led", 1, PinsN("A12", dir="o"), io),
        ]

    return IceSugarPro


BOARDS = (
    Board(
        name="icesugar-pro",
        title="Muse Lab iCESugar-pro 1.3",
        family=ECP5,
        device="LFE5U-25F",
        package="CABGA256",
        speed="6",
        capacity=CAPACITY["25F"],
        oscillator_hz=25_000_000,
        default_clock_hz=100_000_000,
        baud=500_000,  # iCELink takes every byte in an interrupt
        sdram=IS42S16160,
        usb=UsbSerial(chip="iCELink", vendor_id=0x1D50, product_id=0x602B),
        program=("--cable", "cmsisdap", "--vid", "0x1d50", "--pid", "0x602b"),
        pins=_pins,
    ),
)
