"""The iCE40 UltraPlus's multipliers and memories, in numbers."""

from __future__ import annotations

from presparse_boards.resources.inferred_memory import MemoryCells
from presparse_boards.resources.multipliers import DspBlock

DSP = DspBlock(width=16, registers=3)
"""SB_MAC16 (Lattice FPGA-TN-02007)."""
MEMORY = MemoryCells(address_bits=11, widths=(2, 4, 8, 16), byte=1, cost=64)
"""SB_RAM40_4K."""
