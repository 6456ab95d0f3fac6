"""Another clock for a design that is placed and routed already: PLL dividers and the UART's divisor.

A design's fmax is known after place-and-route, and its clock has to be chosen before. Only constants depend on it, so
they are changed afterwards: in an ECP5's routed design itself; for an iCE40 in the netlist, for which the same seed
then gives the same places and routes, and the same fmax.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from amaranth.hdl import Const

from presparse_boards.boards.definition import Board, Family
from presparse_boards.clocking.clock import Clock, divisor_bits, plan_clock
from presparse_boards.clocking.solver import ClockError, Settings, settings_for
from presparse_boards.families.ecp5.pll import ecp5_dividers
from presparse_boards.families.family import FAMILIES
from presparse_boards.families.ice40.pll import ice40_dividers
from presparse_boards.flow.errors import ToolFailed
from presparse_boards.flow.plan import TOP
from presparse_boards.gateware.adjustable import LUT_TABLE, ecp5_site, table

_PLLS: Mapping[Family, tuple[str, Callable[[Settings], dict[str, Const]]]] = {
    "ecp5": ("EHXPLLL", ecp5_dividers),
    "ice40": ("SB_PLL40_PAD", ice40_dividers),
}
_PLL_SECTION = re.compile(r"^\.tile_group .*:PLL\d_.*\n(?:.+\n)*", re.MULTILINE)


def fastest_clock(board: Board, fmax_hz: float, built_for: Clock) -> Clock:
    """The fastest clock up to `fmax_hz` that a netlist built for another can be set to. Raises ClockError."""
    if built_for.pll is None:  # nothing to set
        if built_for.hz > fmax_hz:
            raise ClockError(
                f"{board.name}: the oscillator's {float(built_for.hz) / 1e6:g} MHz are more than the "
                f"{fmax_hz / 1e6:.2f} MHz that the routed design reaches"
            )
        return built_for
    clock = plan_clock(board, fmax_hz)
    if clock.pll is None:  # the bare oscillator would be as fast, but the netlist has a PLL
        same = settings_for(FAMILIES[board.family].limits, board.oscillator_hz, clock.hz)
        if same is None or same.output_hz != clock.hz:
            raise ClockError(
                f"{board.name}: the routed design reaches {fmax_hz / 1e6:.2f} MHz, and below "
                f"{FAMILIES[board.family].limits.output.low_hz / 1e6:g} MHz only the oscillator's "
                f"{board.oscillator_hz / 1e6:g} MHz are left; ask for that clock: --clock {board.oscillator_hz / 1e6:g}"
            )
        clock = replace(clock, pll=same)
    return clock


def retimed(design: str, old: Clock, new: Clock, board: Board) -> str:
    """An ECP5's routed design (nextpnr's textual configuration) with another clock.

    Raises ToolFailed if the design does not hold what it must for the old one.
    """
    if old.pll is None or new.pll is None:
        return design
    before, after = ecp5_dividers(old.pll), ecp5_dividers(new.pll)
    words = {name: (_pll_word(name, before[name]), _pll_word(name, after[name])) for name in before}
    design = _replaced(design, _PLL_SECTION, words)
    for index in range(divisor_bits(board)):
        tile, lut = ecp5_site(index)
        tables = [f"word: {lut}.INIT {table(clock.divisor >> index & 1):016b}\n" for clock in (old, new)]
        design = _replaced(
            design, re.compile(rf"^\.tile {tile}\n(?:.+\n)*", re.MULTILINE), {lut: (tables[0], tables[1])}
        )
    return design


def _pll_word(name: str, value: Const) -> str:
    """Dividers are held as one less."""
    return f"word: {name} {value.value - name.endswith('_DIV'):07b}\n"


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


def set_clock(netlist: Path, changed: Path, board: Board, clock: Clock) -> None:
    """Write a netlist (Yosys's JSON) with another clock to `changed`.

    Raises ToolFailed if the netlist lacks what must be set.
    """
    if clock.pll is None:
        changed.write_bytes(netlist.read_bytes())
        return
    content = json.loads(netlist.read_bytes())
    cells = content["modules"][TOP]["cells"]
    kind, dividers = _PLLS[board.family]
    plls = [name for name, cell in cells.items() if cell["type"] == kind]
    settings = {name: {key: f"{v.value:b}" for key, v in dividers(clock.pll).items()} for name in plls}
    settings |= {
        f"divisor.bit{index}": {LUT_TABLE[board.family]: f"{table(clock.divisor >> index & 1):b}"}
        for index in range(divisor_bits(board))
    }
    if len(plls) != 1 or not settings.keys() <= cells.keys():
        raise ToolFailed(f"synthesis lost what makes the clock: one {kind} and {sorted(settings)} must be left")
    for name, parameters in settings.items():
        held = cells[name]["parameters"]
        held |= {key: bits.zfill(len(held[key])) for key, bits in parameters.items()}
    changed.write_text(json.dumps(content, separators=(",", ":")))
