"""AMD 7 series. No open tool that pip installs places and routes it, so figures are a guess (docs/boards.md).

Sources: AMD DS181 (Artix-7 data sheet), MMCM specification, speed grade -1; UG473 (memory resources), UG479 (DSP48E1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.clocking.solver import Band, Limits, Settings
from presparse_boards.families.family import FpgaFamily, Pll
from presparse_boards.resources.inferred_memory import MemoryCells
from presparse_boards.resources.multipliers import DspBlock

if TYPE_CHECKING:
    from amaranth.lib import io

LIMITS = Limits(
    input=Band(10_000_000, 800_000_000),
    phase_detector=Band(10_000_000, 450_000_000),
    vco=Band(600_000_000, 1_200_000_000),
    output=Band(4_690_000, 800_000_000),
    input_dividers=range(1, 107),
    multipliers=range(2, 65),  # whole ones: the fractional ones jitter more
    output_dividers=tuple(range(1, 129)),
)


def _pll(settings: Settings, pin: io.SingleEndedPort) -> Pll:
    from presparse_boards.families.xc7.pll import Xc7Mmcm

    return Xc7Mmcm(settings, pin)


XC7 = FpgaFamily(
    name="xc7",
    pll_limits=LIMITS,
    pll=_pll,
    dsp=DspBlock(width=18, registers=3),  # one operand of a DSP48E1 may have 25 bits
    memory=MemoryCells(address_bits=15, widths=(1, 2, 4, 9, 18, 36, 72), byte=9, cost=256, cell_luts=6),
    fillable=0.95,
    vendor_tool="Vivado",
)
