"""The SDRAM that a build stores samples in, and the clocks at which it works."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from presparse.contract.build import Build
from presparse_boards.clocking.solver import Band
from presparse_boards.errors import ClockError, NoSdram
from presparse_hw.store.sdram.chip import Sdram

if TYPE_CHECKING:
    from presparse_boards.boards.definition import Board
    from presparse_boards.families.family import SdramPads

SLOWER = Fraction(4, 5)
"""To what a design's clock may be set after routing, of the one that it was made for. The slower it may be, the more
cycles are refreshes: some 2 % here."""


@dataclass(frozen=True, kw_only=True)
class StoreSdram:
    """The SDRAM of a design."""

    sdram: Sdram
    """Times hold at all `clocks`: those of the fastest one, with refreshes as often as the slowest one needs them."""
    clocks: Band
    """To which the design can be set."""
    pads: SdramPads


def fastest_hz(build: Build, board: Board) -> float:
    """At which the board's SDRAM runs, if the build stores samples there; else none is too fast."""
    if build.store is None or build.store.memory != "sdram" or board.sdram is None:
        return math.inf
    return 1e6 * max(board.sdram.clocks_mhz.values())


def plan_sdram(build: Build, board: Board, clock_hz: Fraction) -> StoreSdram | None:
    """Of a build for a board, made for this clock; None if it stores no samples in SDRAM.

    Raises NoSdram if the board has none, or too little; ClockError if the clock is too fast for it.
    """
    if build.store is None or build.store.memory != "sdram":
        return None
    chip, pads = board.sdram, board.family.sdram
    if chip is None or pads is None:
        raise NoSdram(f"{board.title} has no SDRAM, and this build stores its samples there; build with --store none")
    if build.store.words > chip.words:
        raise NoSdram(
            f"{board.title} has an SDRAM of {chip.words:,} words, and this build a store of {build.store.words:,}; "
            f"store_samples may be {chip.words >> build.store.largest_slot:,}"
        )
    most_hz = int(fastest_hz(build, board))
    if clock_hz > most_hz:
        raise ClockError(
            f"{board.title}: its SDRAM {chip.name} runs at up to {most_hz / 1e6:g} MHz, and the clock is to be "
            f"{float(clock_hz) / 1e6:g} MHz; ask for a slower --clock, or build with --store none"
        )
    clocks = Band(int(clock_hz * SLOWER), most_hz)
    refreshed = replace(chip, refresh_us=chip.refresh_us * clocks.low_hz / clocks.high_hz)
    sdram = Sdram(chip=refreshed, clock_hz=clocks.high_hz, pad_cycles=pads.cycles)
    return StoreSdram(sdram=sdram, clocks=clocks, pads=pads)
