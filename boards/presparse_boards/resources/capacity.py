"""What an FPGA has of each kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What one FPGA holds; how large each piece is, its family says (`FpgaFamily`)."""

    lut: int
    """LUT4s (xc7: LUT6s)."""
    ff: int
    """Flip-flops."""
    dsp: int
    """Multipliers."""
    block_ram: int
    """Blocks: ECP5 DP16KD of 18 Ki bits, iCE40 SB_RAM40_4K of 4 Ki, xc7 RAMB36 of 36 Ki."""
    distributed_ram: int
    """Cells of 16 words of 4 bits, one write and one read port (ECP5: TRELLIS_DPR16X4)."""
    single_port_ram: int = 0
    """Blocks of 16 Ki words of 16 bits that are either read or written (iCE40UP: SB_SPRAM256KA)."""
