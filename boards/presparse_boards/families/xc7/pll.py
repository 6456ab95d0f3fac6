"""The clock manager of an Artix-7 (MMCME2).

Source: AMD UG472 (7 series clocking resources).
"""

from __future__ import annotations

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import Out

from presparse_boards.clocking.solver import Settings


class Xc7Mmcm(wiring.Component):
    """An MMCME2_BASE fed by a pin.

    Members
    -------
    o_clk : Out(1)    the clock, on a global network
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
        s = self._settings
        feedback = Signal()
        clock = Signal()
        m.submodules.mmcm = Instance(
            "MMCME2_BASE",
            p_CLKIN1_PERIOD=1e9 / s.input_hz,  # nanoseconds
            p_DIVCLK_DIVIDE=s.input_divider,
            p_CLKFBOUT_MULT_F=float(s.multiplier),
            p_CLKOUT0_DIVIDE_F=float(s.output_divider),
            i_CLKIN1=buffer.i,
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=clock,
            o_LOCKED=self.locked,
        )
        m.submodules.global_buffer = Instance("BUFG", i_I=clock, o_O=self.o_clk)
        return m
