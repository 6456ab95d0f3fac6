"""A constant that is patched after place-and-route (an ECO): a design keeps its placement, and its fmax."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from presparse_boards.families.toolchain import table


class AdjustableNumber(wiring.Component):
    """One LUT per bit, whose table is all zeros or all ones whatever its inputs are. Synthesis leaves it alone
    (`keep`), and place-and-route does not look into tables: another number gives the same places and routes.

    Parameters
    ----------
    lut : makes a LUT from its output, its number and its table (`ClockCells.lut`)
    number : int
    width : int

    Members
    -------
    o : Out(width)   the number
    """

    o: Signal

    def __init__(self, lut: Callable[[Value, int, int], Instance], number: int, width: int) -> None:
        self._lut = lut
        self._number = number
        super().__init__({"o": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for index in range(len(self.o)):
            m.submodules[f"bit{index}"] = self._lut(self.o[index], index, table(self._number >> index & 1))
        return m
