"""Clock selection after place-and-route: PLL dividers and the UART's divisor, for the fmax that was reached.

Not register retiming: no register moves.

A design's fmax is known after place-and-route, and its clock has to be chosen before. Only constants depend on it, so
they are changed afterwards: in the routed design itself, where its family can do that (`ClockCells.patched`); else in
the netlist, for which the same seed then gives the same places and routes, and the same fmax.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import Clock, divisor_bits, plan_clock
from presparse_boards.clocking.solver import Band, settings_for
from presparse_boards.errors import ClockError, ToolFailed
from presparse_boards.families.toolchain import table
from presparse_boards.flow.plan import TOP, toolchain_of


def fastest_clock(board: Board, fmax_hz: float, built_for: Clock, clocks: Band | None = None) -> Clock:
    """The fastest clock up to `fmax_hz` that a netlist built for another can be set to; within `clocks`, if any are
    given. Raises ClockError."""
    fmax_hz = min(fmax_hz, clocks.high_hz) if clocks else fmax_hz
    if built_for.pll is None:  # nothing to set
        if built_for.hz > fmax_hz:
            raise ClockError(
                f"{board.name}: the oscillator's {float(built_for.hz) / 1e6:g} MHz are more than the "
                f"{fmax_hz / 1e6:.2f} MHz that the routed design reaches"
            )
        return built_for
    clock = plan_clock(board, fmax_hz)
    if clock.pll is None:  # the bare oscillator would be as fast, but the netlist has a PLL
        same = settings_for(board.pll_limits, board.oscillator_hz, clock.hz)
        if same is None or same.output_hz != clock.hz:
            raise ClockError(
                f"{board.name}: the routed design reaches {fmax_hz / 1e6:.2f} MHz, and below "
                f"{board.pll_limits.output.low_hz / 1e6:g} MHz only the oscillator's "
                f"{board.oscillator_hz / 1e6:g} MHz are left; ask for that clock: --clock {board.oscillator_hz / 1e6:g}"
            )
        clock = replace(clock, pll=same)
    if clocks and clock.hz not in clocks:
        raise ClockError(
            f"{board.name}: the routed design reaches {float(clock.hz) / 1e6:.2f} MHz, and was made for {clocks}; ask "
            f"for a clock that it reaches: --clock {int(clock.hz / 10**6)}"
        )
    return clock


def set_clock(netlist: Path, changed: Path, board: Board, clock: Clock) -> None:
    """Write a netlist (Yosys's JSON) with another clock to `changed`.

    Raises MakeError: ToolFailed if the netlist lacks what must be set.
    """
    if clock.pll is None:
        changed.write_bytes(netlist.read_bytes())
        return
    content = json.loads(netlist.read_bytes())
    cells = content["modules"][TOP]["cells"]
    kinds = toolchain_of(board).clock
    plls = [name for name, cell in cells.items() if cell["type"] == kinds.pll]
    settings = {name: {key: f"{value:b}" for key, value in kinds.dividers(clock.pll).items()} for name in plls}
    settings |= {
        f"divisor.bit{index}": {kinds.lut_table: f"{table(clock.divisor >> index & 1):b}"}
        for index in range(divisor_bits(board))
    }
    if len(plls) != 1 or not settings.keys() <= cells.keys():
        raise ToolFailed(f"synthesis lost what makes the clock: one {kinds.pll} and {sorted(settings)} must be left")
    for name, parameters in settings.items():
        held = cells[name]["parameters"]
        held |= {key: bits.zfill(len(held[key])) for key, bits in parameters.items()}
    changed.write_text(json.dumps(content, separators=(",", ":")))
