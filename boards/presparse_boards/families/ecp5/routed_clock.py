"""Another clock for a routed ECP5 design, in the text that nextpnr writes: PLL dividers and the UART's divisor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from presparse_boards.clocking.clock import Clock
from presparse_boards.errors import ToolFailed
from presparse_boards.families.ecp5.dividers import dividers
from presparse_boards.families.toolchain import table

if TYPE_CHECKING:
    from amaranth.hdl import Instance, Value

_PLL_SECTION = re.compile(r"^\.tile_group .*:PLL\d_.*\n(?:.+\n)*", re.MULTILINE)


def placed_lut(output: Value, index: int, content: int) -> Instance:
    """LUT number `index`, at a place of its own: `patched` finds its table there."""
    from amaranth.hdl import Const, Instance

    tile, lut = _site(index)
    row = tile.partition("C")[0].removeprefix("R")
    inputs = {f"i_{name}": Const(0, 1) for name in "ABCD"}
    return Instance("LUT4", a_keep=1, a_BEL=f"X3/Y{row}/{lut}", p_INIT=Const(content, 16), o_Z=output, **inputs)


def patched(design: str, old: Clock, new: Clock, divisor_bits: int) -> str:
    """A routed design with another clock.

    Raises ToolFailed if the design does not hold what it must for the old one.
    """
    if old.pll is None or new.pll is None:
        return design
    before, after = dividers(old.pll), dividers(new.pll)
    words = {name: (_pll_word(name, before[name]), _pll_word(name, after[name])) for name in before}
    design = _replaced(design, _PLL_SECTION, words)
    for index in range(divisor_bits):
        tile, lut = _site(index)
        tables = [f"word: {lut}.INIT {table(clock.divisor >> index & 1):016b}\n" for clock in (old, new)]
        design = _replaced(
            design, re.compile(rf"^\.tile {tile}\n(?:.+\n)*", re.MULTILINE), {lut: (tables[0], tables[1])}
        )
    return design


def _site(index: int) -> tuple[str, str]:
    """Tile and LUT of a bit, as Project Trellis calls them: a corner with logic on FPGAs of every size."""
    row, lut = 3 + index // 8, index % 8
    return f"R{row}C3:PLC2", f"SLICE{'ABCD'[lut // 2]}.K{lut % 2}"


def _pll_word(name: str, value: int) -> str:
    """Dividers are held as one less."""
    return f"word: {name} {value - name.endswith('_DIV'):07b}\n"


def _replaced(design: str, section: re.Pattern[str], words: Mapping[str, tuple[str, str]]) -> str:
    """Each word (old, new) once in the section."""
    found = section.search(design)
    text = found[0] if found else ""
    for name, (old, new) in words.items():
        if text.count(old) != 1:
            raise ToolFailed(f"the routed design has no {old.strip()!r} where it must be: {name} cannot be changed")
        text = text.replace(old, new)
    start, end = found.span() if found else (0, 0)
    return design[:start] + text + design[end:]
