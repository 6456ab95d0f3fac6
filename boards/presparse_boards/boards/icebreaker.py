"""1BitSquared iCEBreaker, revision 1.0.

Sources: pins from amaranth-boards (`amaranth_boards.icebreaker`); Lattice FPGA-DS-02008 (iCE40 UltraPlus data sheet).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Board, UsbSerial
from presparse_boards.families.ice40.family import ICE40
from presparse_boards.resources.capacity import Capacity

if TYPE_CHECKING:
    from amaranth.vendor import SiliconBluePlatform


def _pins() -> type[SiliconBluePlatform]:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    class Icebreaker(ICEBreakerPlatform):
        default_rst = "button"  # BTN_N, pressed is low

    return Icebreaker


BOARDS = (
    Board(
        name="icebreaker",
        title="1BitSquared iCEBreaker 1.0",
        family=ICE40,
        device="iCE40UP5K",
        package="SG48",
        speed="",  # there is but one
        capacity=Capacity(lut=5280, ff=5280, dsp=8, block_ram=30, distributed_ram=0, single_port_ram=4),
        oscillator_hz=12_000_000,
        default_clock_hz=30_000_000,  # inference networks route at 34 MHz and more
        baud=3_000_000,
        window=1,  # more would take block RAM that networks need more
        usb=UsbSerial(chip="FT2232H", vendor_id=0x0403, product_id=0x6010, interface=1, product="iCEBreaker"),
        program=("--board", "ice40_generic"),
        program_to="flash",
        pins=_pins,
    ),
)
