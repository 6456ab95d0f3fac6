"""What all boards with an ECP5 share: what the FPGAs hold, and the platform that their designs are built for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.boards.definition import Capacity

if TYPE_CHECKING:
    from amaranth.vendor import LatticePlatform


def _capacity(lut: int, block_ram: int, dsp: int) -> Capacity:
    # One slice in four can be the write port of distributed memory.
    return Capacity(
        lut=lut, ff=lut, dsp=dsp, dsp_width=18, block_ram=block_ram, block_ram_bits=18 * 1024, distributed_ram=lut // 8
    )


# Lattice FPGA-DS-02012 (ECP5 and ECP5-5G data sheet), table 1.1; flip-flops and memory cells as nextpnr counts them.
CAPACITY = {
    "25F": _capacity(24_288, 56, 28),
    "45F": _capacity(43_848, 108, 72),
    "85F": _capacity(83_640, 208, 156),
}
CAPACITY["12F"] = CAPACITY["25F"]  # the same die, sold as half of it; open tools use all of it


def ecp5_platform(board: type[LatticePlatform]) -> LatticePlatform:
    """A fresh platform for designs on an ECP5 board, from the class that names its pins."""
    from presparse_boards.families.ecp5.primitives import Ecp5Primitives

    return type(board.__name__, (Ecp5Primitives, board), {})()
