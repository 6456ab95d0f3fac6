"""The SDRAM of a design at every clock that the design may get."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from fractions import Fraction

import pytest

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse_boards.boards.registry import BOARDS, find_board
from presparse_boards.clocking.sdram import fastest_hz, plan_sdram
from presparse_boards.errors import ClockError, NoSdram
from presparse_hw.store.sdram.chip import Cycles, Sdram

BUILD = Build(network=Network.load("digits-small"), store_memory="sdram", store_samples=1000)
BOARD = find_board("ulx3s-85f")


@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if board.sdram])
@pytest.mark.parametrize("mhz", [25, 60, 100, 125])
def test_times_hold_at_every_clock_that_it_may_be_set_to(name: str, mhz: int) -> None:
    board = BOARDS[name]
    assert board.sdram is not None
    found = plan_sdram(BUILD, board, Fraction(mhz * 10**6))
    assert found is not None
    kept = found.sdram.cycles
    assert found.clocks.low_hz == mhz * 800_000
    for hz in (found.clocks.low_hz, mhz * 1e6, found.clocks.high_hz):
        needed = Sdram(chip=board.sdram, clock_hz=hz).cycles
        assert kept.refresh <= needed.refresh
        least = astuple(replace(kept, refresh=0)), astuple(replace(needed, refresh=0))
        assert all(has >= needs for has, needs in zip(*least, strict=True)), (hz, kept, needed)
    # No slower than they must be: refreshes as often as the slowest clock needs them, all else as the fastest does.
    slowest = Sdram(chip=board.sdram, clock_hz=found.clocks.low_hz).cycles
    fastest: Cycles = Sdram(chip=board.sdram, clock_hz=found.clocks.high_hz).cycles
    assert abs(kept.refresh - slowest.refresh) <= 1
    assert replace(kept, refresh=fastest.refresh) == fastest


def test_none_if_the_build_needs_none() -> None:
    blocks = Build(network=BUILD.network, store_samples=10)
    assert plan_sdram(blocks, BOARD, Fraction(10**8)) is None
    assert (fastest_hz(blocks, BOARD), fastest_hz(BUILD, BOARD)) == (math.inf, 133e6)
    assert plan_sdram(Build(network=BUILD.network), find_board("icebreaker"), Fraction(10**7)) is None


def test_what_a_board_cannot_do() -> None:
    with pytest.raises(
        NoSdram, match=r"^1BitSquared iCEBreaker 1\.0 has no SDRAM, and this build stores its samples there"
    ):
        plan_sdram(BUILD, find_board("icebreaker"), Fraction(10**7))
    with pytest.raises(
        ClockError, match=r"its SDRAM MT48LC16M16A2 runs at up to 133 MHz, and the clock is to be 140 MHz"
    ):
        plan_sdram(BUILD, BOARD, Fraction(140 * 10**6))
    assert BUILD.store is not None
    most = 1 << 24 >> BUILD.store.largest_slot
    too_many = Build(network=BUILD.network, store_memory="sdram", store_samples=most + 1)
    with pytest.raises(NoSdram, match=rf"an SDRAM of 16,777,216 words, .*; store_samples may be {most:,}$"):
        plan_sdram(too_many, BOARD, Fraction(10**8))
