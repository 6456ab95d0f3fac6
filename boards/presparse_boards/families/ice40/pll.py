"""The PLL of an iCE40 (SB_PLL40).

Source: Lattice FPGA-TN-02052 (iCE40 sysCLOCK usage guide).
"""

from __future__ import annotations

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import Out

from presparse_boards.clocking.solver import Settings
from presparse_boards.families.ice40.dividers import dividers

_BITS = {"DIVR": 4, "DIVF": 7, "DIVQ": 3, "FILTER_RANGE": 3}
"""Of the parameters."""


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
            **{f"p_{name}": Const(value, _BITS[name]) for name, value in dividers(self._settings).items()},
            i_PACKAGEPIN=self._pin.io,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=self.o_clk,
            o_LOCK=self.locked,
        )
        return m
