"""What place-and-route reached, by its report."""

from __future__ import annotations

from math import inf
from typing import Any

from presparse_boards.boards.registry import find_board
from presparse_boards.flow.plan import toolchain_of
from presparse_boards.flow.routing.route import Routed


def _routed(**clocks: float) -> Routed:
    report: dict[str, Any] = {"fmax": {net: {"achieved": mhz} for net, mhz in clocks.items()}}
    return Routed(
        toolchain=toolchain_of(find_board("ecpix5-85f")), seed=1, design="route-1", log="route-1.log", report=report
    )


def test_the_clock_of_a_usb_phy_is_another() -> None:
    """It sets no limit to the core's, however slow its part is."""
    alone = _routed(core_clk=120.5, clk100=300.0)
    assert (alone.clock_net, alone.fmax_mhz, alone.usb_fmax_mhz) == ("core_clk", 120.5, inf)
    both = _routed(**{"$glbnet$core_clk": 120.5, "$glbnet$link.device.usb_clk": 99.0})
    assert (both.clock_net, both.fmax_mhz, both.usb_fmax_mhz) == ("$glbnet$core_clk", 120.5, 99.0)
