"""The ECP5's multipliers, memories and pins, in numbers."""

from __future__ import annotations

from presparse_boards.resources.inferred_memory import MemoryCells
from presparse_boards.resources.multipliers import DspBlock

DSP = DspBlock(width=18, registers=3)
"""MULT18X18D (Lattice FPGA-TN-02205)."""
MEMORY = MemoryCells(address_bits=14, widths=(1, 2, 4, 9, 18, 36), byte=9, cost=128, cell_luts=6)
"""DP16KD, and TRELLIS_DPR16X4: four LUTs hold the words, and two more stand where its write port is."""

OUTPUT_CYCLES = 3
"""From an ODDRX1F's inputs to its pin."""
INPUT_CYCLES = 1
"""More than one, from a pin to the outputs of an IDDRX1F."""
