"""What the FPGAs of the family hold."""

from __future__ import annotations

from presparse_boards.resources.capacity import Capacity


def _capacity(lut: int, block_ram: int, dsp: int) -> Capacity:
    # One slice in four can be the write port of distributed memory.
    return Capacity(lut=lut, ff=lut, dsp=dsp, block_ram=block_ram, distributed_ram=lut // 8)


# Lattice FPGA-DS-02012 (ECP5 and ECP5-5G data sheet), table 1.1; flip-flops and memory cells as nextpnr counts them.
CAPACITY = {
    "25F": _capacity(24_288, 56, 28),
    "45F": _capacity(43_848, 108, 72),
    "85F": _capacity(83_640, 208, 156),
}
CAPACITY["12F"] = CAPACITY["25F"]  # the same die, sold as half of it; open tools use all of it
