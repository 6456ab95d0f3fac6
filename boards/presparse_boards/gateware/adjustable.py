"""A number in the gateware that can be changed after place-and-route: a design keeps its places, and its fmax."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from presparse_boards.boards.definition import Family


class AdjustableNumber(wiring.Component):
    """One LUT per bit, whose table is all zeros or all ones whatever its inputs are. Synthesis leaves it alone
    (`keep`), and place-and-route does not look into tables: another number gives the same places and routes.

    Members
    -------
    o : Out(width)   the number
    """

    o: Signal

    def __init__(self, family: Family, number: int, width: int) -> None:
        self._lut = _LUTS[family]
        self._number = number
        super().__init__({"o": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for index in range(len(self.o)):
            m.submodules[f"bit{index}"] = self._lut(self.o[index], index, table(self._number >> index & 1))
        return m


def table(bit: int) -> int:
    """The content of a LUT of four inputs that is always `bit`."""
    return 0xFFFF if bit else 0


def ecp5_site(index: int) -> tuple[str, str]:
    """Tile and LUT of a bit, as Project Trellis calls them: a corner with logic on FPGAs of every size."""
    row, lut = 3 + index // 8, index % 8
    return f"R{row}C3:PLC2", f"SLICE{'ABCD'[lut // 2]}.K{lut % 2}"


def _ecp5(o: object, index: int, content: int) -> Instance:
    tile, lut = ecp5_site(index)
    row = tile.partition("C")[0].removeprefix("R")
    inputs = {f"i_{name}": Const(0, 1) for name in "ABCD"}
    return Instance("LUT4", a_keep=1, a_BEL=f"X3/Y{row}/{lut}", p_INIT=Const(content, 16), o_Z=o, **inputs)


def _ice40(o: object, index: int, content: int) -> Instance:
    inputs = {f"i_I{index}": Const(0, 1) for index in range(4)}
    return Instance("SB_LUT4", a_keep=1, p_LUT_INIT=Const(content, 16), o_O=o, **inputs)


_LUTS: Mapping[Family, Callable[[object, int, int], Instance]] = {"ecp5": _ecp5, "ice40": _ice40}
LUT_TABLE: Mapping[Family, str] = {"ecp5": "INIT", "ice40": "LUT_INIT"}
"""The parameter that holds a LUT's table."""
