"""The PLL of an ECP5 (EHXPLLL).

Source: Lattice FPGA-TN-02200 (sysCLOCK usage guide).
"""

from __future__ import annotations

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import Out

from presparse_boards.clocking.solver import Settings
from presparse_boards.families.ecp5.dividers import dividers


class Ecp5Pll(wiring.Component):
    """An EHXPLLL fed by a pin.

    The feedback is output CLKOP, divided down to the phase detector's frequency. So CLKOS, the clock that is used,
    may be any fraction of the VCO, not only a multiple of the phase detector's frequency.

    Members
    -------
    o_clk : Out(1)    the clock
    locked : Out(1)   high once the clock is right; asynchronous
    """

    o_clk: Signal
    locked: Signal

    def __init__(self, settings: Settings, pin: io.PortLike) -> None:
        self._settings = settings
        self._pin = pin
        super().__init__({"o_clk": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = io.Buffer("i", self._pin)
        feedback = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            # Loop filter and charge pump, as Lattice's tool sets them for this range of phase detectors.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_FEEDBK_PATH="CLKOP",
            **{f"p_{name}": Const(value, 32) for name, value in dividers(self._settings).items()},
            p_CLKFB_DIV=1,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_FPHASE=0,
            p_OUTDIVIDER_MUXA="DIVA",
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOS_FPHASE=0,
            p_OUTDIVIDER_MUXB="DIVB",
            i_CLKI=buffer.i,
            i_CLKFB=feedback,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=feedback,
            o_CLKOS=self.o_clk,
            o_LOCK=self.locked,
        )
        return m
