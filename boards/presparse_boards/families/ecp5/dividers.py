"""What the PLL of an ECP5 (EHXPLLL) can do, and its parameters. Imports no Amaranth.

Sources: Lattice FPGA-DS-02012 (ECP5 data sheet), sysCLOCK PLL timing; FPGA-TN-02200 (sysCLOCK usage guide).
"""

from __future__ import annotations

from presparse_boards.clocking.solver import Band, Limits, Settings

LIMITS = Limits(
    input=Band(8_000_000, 400_000_000),
    # Slower ones would reach more clocks, but open tools set one loop filter for all, and it suits fast ones.
    phase_detector=Band(10_000_000, 400_000_000),
    vco=Band(400_000_000, 800_000_000),
    output=Band(3_125_000, 400_000_000),
    input_dividers=range(1, 129),
    multipliers=range(1, 129),
    output_dividers=tuple(range(1, 129)),
)


def dividers(settings: Settings) -> dict[str, int]:
    """The parameters that depend on the settings."""
    return {
        "CLKI_DIV": settings.input_divider,
        "CLKOP_DIV": settings.multiplier,
        "CLKOP_CPHASE": settings.multiplier - 1,
        "CLKOS_DIV": settings.output_divider,
        "CLKOS_CPHASE": settings.output_divider - 1,
    }
