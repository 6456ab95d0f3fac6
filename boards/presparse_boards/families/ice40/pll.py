"""The PLL of an iCE40 (SB_PLL40).

Sources: Lattice FPGA-DS-02008 (iCE40 UltraPlus data sheet), sysCLOCK PLL timing; FPGA-TN-02052 (iCE40 sysCLOCK usage
guide) for the loop filter.
"""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import Out

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


def ice40_dividers(settings: Settings) -> dict[str, Const]:
    """The parameters of an SB_PLL40 that depend on its settings."""
    return {
        "DIVR": Const(settings.input_divider - 1, 4),
        "DIVF": Const(settings.multiplier - 1, 7),
        "DIVQ": Const(settings.output_divider.bit_length() - 1, 3),
        "FILTER_RANGE": Const(filter_range(settings.phase_detector_hz), 3),
    }


class Ice40Pll(wiring.Component):
    """An SB_PLL40_PAD: its input is the pin itself, which has to be one that the PLL sits behind.

    Members
    -------
    o_clk : Out(1)    the clock, on a global network
    locked : Out(1)   high once the clock is right; asynchronous
    """

    o_clk: Signal
    locked: Signal

    def __init__(self, settings: Settings, pin: io.SingleEndedPort) -> None:
        self._settings = settings
        self._pin = pin
        super().__init__({"o_clk": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.pll = Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            **{f"p_{name}": value for name, value in ice40_dividers(self._settings).items()},
            i_PACKAGEPIN=self._pin.io,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=self.o_clk,
            o_LOCK=self.locked,
        )
        return m
