"""The clock of a build on a board: as fast as the PLL goes, with a UART that a host understands."""

from __future__ import annotations

from fractions import Fraction

import pytest

from presparse_boards.boards.registry import BOARDS
from presparse_boards.clocking.clock import MAX_BAUD_ERROR, divisor_bits, plan_clock
from presparse_boards.clocking.solver import settings_for
from presparse_boards.errors import ClockError
from presparse_boards.families.ecp5.dividers import LIMITS as ECP5

MHZ = 1_000_000


def test_vectors() -> None:
    clock = plan_clock(BOARDS["ulx3s-85f"], 100e6)
    assert (clock.hz, clock.divisor) == (100 * MHZ, 33)
    assert clock.achieved_baud == Fraction(100 * MHZ, 33)
    assert clock.baud_error == Fraction(1, 99)

    clock = plan_clock(BOARDS["icebreaker"], 24e6)
    assert (clock.hz, clock.divisor, clock.baud_error) == (24 * MHZ, 8, 0)


def test_a_clock_gives_way_to_the_uart() -> None:
    """41 MHz is 13.7 cycles per bit at 3 Mbaud: neither 13 (5 % off) nor 14 (2.4 % off) would do, and 39.75 MHz is
    13.25 cycles: 13 are 1.9 % off."""
    board = BOARDS["ulx3s-12f"]
    nearest = settings_for(ECP5, 25 * MHZ, Fraction(41 * MHZ))
    assert nearest is not None
    assert nearest.output_hz > 40 * MHZ
    clock = plan_clock(board, 41e6)
    assert Fraction(39.7e6) < clock.hz <= 13 * 3 * MHZ * (1 + MAX_BAUD_ERROR)
    assert clock.divisor == 13


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["ulx3s-85f", "ecpix5-85f", "icebreaker", "colorlight-i5", "colorlight-5a-75b", "icepi-zero", "arty-a7-35t"]
)
def test_every_clock_of_every_kind_of_board(name: str) -> None:
    board = BOARDS[name]
    for mhz in range(13, 201):
        clock = plan_clock(board, mhz * 1e6) if mhz * MHZ >= 4.1 * board.baud else None
        if clock is None:
            continue
        assert clock.hz <= mhz * MHZ
        assert clock.divisor >= 4
        assert clock.divisor < 2 ** divisor_bits(board)
        assert abs(clock.hz / clock.divisor - board.baud) < board.baud * MAX_BAUD_ERROR
        # What that costs: 2 % per divisor, so most where there are few cycles per bit; and some for the PLL.
        assert clock.hz >= mhz * MHZ * (1 - Fraction(1, clock.divisor) - Fraction(5, 100))


def test_the_oscillator_where_the_pll_is_too_fast() -> None:
    clock = plan_clock(BOARDS["icebreaker"], 15e6)
    assert clock.pll is None
    assert clock.hz == 12 * MHZ


@pytest.mark.parametrize("hz", [1e6, 11e6, 276e6, 5e9, 0.0, -1e6])
def test_unreachable_clocks_name_the_range(hz: float) -> None:
    with pytest.raises(ClockError) as raised:
        plan_clock(BOARDS["icebreaker"], hz)
    assert str(raised.value) == (
        f"1BitSquared iCEBreaker 1.0: a clock of {hz / 1e6:g} MHz cannot be made; the PLL makes 16 to 275 MHz, the "
        f"oscillator 12 MHz, and the UART of 3,000,000 baud needs at least 11.76 MHz"
    )


def test_default_clocks_are_made_exactly() -> None:
    for board in BOARDS.values():
        assert plan_clock(board, board.default_clock_hz).hz == board.default_clock_hz
