"""What the PLL of an iCE40 (SB_PLL40) can do, and its parameters. Imports no Amaranth.

Sources: Lattice FPGA-DS-02008 (iCE40 UltraPlus data sheet), sysCLOCK PLL timing; FPGA-TN-02052 (iCE40 sysCLOCK usage
guide) for the loop filter.
"""

from __future__ import annotations

from fractions import Fraction

from presparse_boards.clocking.solver import Band, Limits, Settings

LIMITS = Limits(
    input=Band(10_000_000, 133_000_000),
    phase_detector=Band(10_000_000, 133_000_000),
    vco=Band(533_000_000, 1_066_000_000),
    output=Band(16_000_000, 275_000_000),
    input_dividers=range(1, 17),
    multipliers=range(1, 129),
    output_dividers=(2, 4, 8, 16, 32, 64),
)

_FILTERS = ((17, 1), (26, 2), (44, 3), (66, 4), (101, 5), (134, 6))
"""FILTER_RANGE of phase detectors below these MHz."""


def filter_range(phase_detector_hz: Fraction) -> int:
    """FILTER_RANGE, the loop filter of a phase detector of this frequency."""
    return next(value for below_mhz, value in _FILTERS if phase_detector_hz < below_mhz * 1_000_000)


def dividers(settings: Settings) -> dict[str, int]:
    """The parameters that depend on the settings."""
    return {
        "DIVR": settings.input_divider - 1,
        "DIVF": settings.multiplier - 1,
        "DIVQ": settings.output_divider.bit_length() - 1,
        "FILTER_RANGE": filter_range(settings.phase_detector_hz),
    }
