"""Another clock for a routed design: what is patched is what place-and-route makes of a netlist with that clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from presparse_boards.boards.registry import find_board
from presparse_boards.clocking.clock import divisor_bits, plan_clock
from presparse_boards.clocking.solver import Band
from presparse_boards.errors import ClockError, ToolFailed
from presparse_boards.families.ecp5.routed_clock import patched
from presparse_boards.flow.plan import make_plan
from presparse_boards.flow.retiming import fastest_clock, set_clock
from presparse_boards.flow.routing.route import Routed, route_all
from presparse_boards.flow.synthesis import synthesize
from presparse_boards.flow.tools import Workshop
from tests.boards.networks import NANO_INFERENCE

pytestmark = pytest.mark.slow


@pytest.mark.nightly
def test_a_patched_design_is_the_one_that_its_netlist_gives(tmp_path: Path) -> None:
    """The whole routed design as text: every place, every route, every table."""
    board = find_board("ulx3s-12f")
    plan = make_plan(NANO_INFERENCE, board, board.default_clock_hz, "0" * 16)
    plan.write(tmp_path)
    netlist = synthesize(Workshop(tmp_path), plan.toolchain)

    def routed(json: str) -> tuple[Routed, str]:
        [found] = route_all(tmp_path, plan, board, json, [3], netlist.flip_flops)
        return found, (tmp_path / found.design).read_text()

    first, design = routed(netlist.path.name)
    clock = plan_clock(board, 61e6)
    assert clock.divisor != plan.clock.divisor
    set_clock(netlist.path, tmp_path / "other.json", board, clock)
    second, other = routed("other.json")
    assert design != other
    assert patched(design, plan.clock, clock, divisor_bits(board)) == other
    assert second.fmax_mhz == first.fmax_mhz
    with pytest.raises(ToolFailed, match=r"the routed design has no 'word: CLK.*' where it must be"):
        patched(other, plan.clock, clock, divisor_bits(board))


def test_clocks_that_a_netlist_can_have() -> None:
    ecp5, ice40 = find_board("ulx3s-12f"), find_board("icebreaker")
    built = plan_clock(ecp5, 100e6)
    for mhz in (25, 47, 99.9, 100, 143):
        clock = fastest_clock(ecp5, mhz * 1e6, built)
        assert clock.hz == plan_clock(ecp5, mhz * 1e6).hz
        assert clock.pll is not None
    made_for = Band(80_000_000, 133_000_000)
    assert fastest_clock(ecp5, 160e6, built, made_for).hz == plan_clock(ecp5, 133e6).hz
    with pytest.raises(ClockError, match=r"reaches 7\d.\d\d MHz, and was made for 80 to 133 MHz; ask .*: --clock 7\d$"):
        fastest_clock(ecp5, 79e6, built, made_for)
    with pytest.raises(ClockError, match=r"ask for that clock: --clock 12$"):
        fastest_clock(ice40, 15e6, plan_clock(ice40, 24e6))
    bare = plan_clock(ice40, 12e6)
    assert fastest_clock(ice40, 30e6, bare) is bare
    with pytest.raises(ClockError, match=r"the oscillator's 12 MHz are more than the 11\.50 MHz"):
        fastest_clock(ice40, 11.5e6, bare)
