"""What differs between families of FPGAs, for the tops of their boards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from amaranth.hdl import Module, Signal
from amaranth.lib import io

from presparse_boards.boards.definition import Family
from presparse_boards.clocking.solver import Limits, Settings
from presparse_boards.families.ecp5.pll import LIMITS as ECP5_LIMITS
from presparse_boards.families.ecp5.pll import Ecp5Pll
from presparse_boards.families.ice40.pll import LIMITS as ICE40_LIMITS
from presparse_boards.families.ice40.pll import Ice40Pll
from presparse_boards.families.xc7.pll import LIMITS as XC7_LIMITS
from presparse_boards.families.xc7.pll import Xc7Mmcm


class Pll(Protocol):
    """A PLL fed by a pin."""

    o_clk: Signal
    """Out(1): the clock."""
    locked: Signal
    """Out(1): high once the clock is right; asynchronous."""

    def elaborate(self, platform: object) -> Module: ...


@dataclass(frozen=True)
class FamilyPll:
    """A family's PLL: its limits, and the component for given settings and the pin of the oscillator."""

    limits: Limits
    component: Callable[[Settings, io.SingleEndedPort], Pll]


FAMILIES: Mapping[Family, FamilyPll] = {
    "ecp5": FamilyPll(ECP5_LIMITS, Ecp5Pll),
    "ice40": FamilyPll(ICE40_LIMITS, Ice40Pll),
    "xc7": FamilyPll(XC7_LIMITS, Xc7Mmcm),
}
