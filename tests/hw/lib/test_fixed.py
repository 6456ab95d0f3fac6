"""Gateware rounding and saturation equal the contract's, on every value of small widths."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator, SimulatorContext

from presparse.contract import formats
from presparse.contract.formats import Format
from presparse_hw.lib.fixed import exceeds, rescale, saturate


class Rounder(wiring.Component):
    """A value of `from_frac` fraction bits, rounded and saturated to `target`."""

    value: Signal
    out: Signal
    above: Signal
    below: Signal

    def __init__(self, width: int, from_frac: int, target: Format) -> None:
        self._from_frac = from_frac
        self._target = target
        super().__init__(
            {"value": In(signed(width)), "out": Out(signed(target.width)), "above": Out(1), "below": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rounded = rescale(self.value, self._from_frac, self._target.frac)
        above, below = exceeds(rounded, self._target)
        m.d.comb += [self.out.eq(saturate(rounded, self._target)), self.above.eq(above), self.below.eq(below)]
        return m


@pytest.mark.parametrize(
    ("width", "from_frac", "target"),
    [
        (8, 4, Format(width=4, frac=2)),  # drops bits and saturates
        (8, 2, Format(width=6, frac=4)),  # gains bits and saturates
        (7, 3, Format(width=12, frac=3)),  # fits always
        (6, 1, Format(width=6, frac=0)),  # rounding carries out of the format
        (5, 9, Format(width=4, frac=2)),  # drops more bits than there are
    ],
)
def test_every_value(width: int, from_frac: int, target: Format) -> None:
    dut = Rounder(width, from_frac, target)

    async def testbench(ctx: SimulatorContext) -> None:
        for value in range(-(1 << (width - 1)), 1 << (width - 1)):
            ctx.set(dut.value, value)
            rounded = formats.rescale(value, from_frac, target.frac)
            assert ctx.get(dut.out) == formats.saturate(rounded, target), value
            assert ctx.get(dut.above) == (rounded > target.max), value
            assert ctx.get(dut.below) == (rounded < target.min), value
            await ctx.delay(1e-9)

    simulator = Simulator(dut)
    simulator.add_testbench(testbench)
    simulator.run()
