"""The clock of a build: what the board's PLL makes, and the baud rate that follows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from presparse_boards.clocking.solver import Limits, Settings, settings_for
from presparse_boards.errors import ClockError

MAX_BAUD_ERROR = Fraction(2, 100)
"""Of the UART's rate. A byte is sampled 9.5 bits after its start bit's edge: 2 % are a fifth of a bit there."""
MIN_CYCLES_PER_BIT = 4


class ClockedBoard(Protocol):
    """What of a board decides on its clocks."""

    @property
    def title(self) -> str: ...
    @property
    def oscillator_hz(self) -> int: ...
    @property
    def baud(self) -> int: ...
    @property
    def link(self) -> str: ...
    @property
    def pll_limits(self) -> Limits: ...


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The core's clock on one board, and the UART's rate with it. Frequencies are exact."""

    oscillator_hz: int
    pll: Settings | None
    """None: the oscillator's clock is used as it is."""
    baud: int
    """What the board's UART should have."""

    @property
    def hz(self) -> Fraction:
        return self.pll.output_hz if self.pll else Fraction(self.oscillator_hz)

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the UART."""
        return max(MIN_CYCLES_PER_BIT, round(self.hz / self.baud))

    @property
    def achieved_baud(self) -> Fraction:
        return self.hz / self.divisor

    @property
    def baud_error(self) -> Fraction:
        """Relative; positive if the UART is too fast."""
        return self.achieved_baud / self.baud - 1


def divisor_bits(board: ClockedBoard) -> int:
    """Bits that hold the UART's divisor at every clock the board's PLL makes; 0 without a UART."""
    return 0 if board.link == "usb" else (board.pll_limits.output.high_hz // board.baud + 1).bit_length()


def plan_clock(board: ClockedBoard, wanted_hz: float) -> Clock:
    """The fastest clock of at most `wanted_hz` that the board makes, and whose UART is within MAX_BAUD_ERROR.

    Raises ClockError, naming the range, if `wanted_hz` is outside of it.
    """
    limits = board.pll_limits
    slowest_hz = int(MIN_CYCLES_PER_BIT * board.baud * (1 - MAX_BAUD_ERROR))
    if wanted_hz <= limits.output.high_hz:
        limit = Fraction(wanted_hz)
        while limit >= slowest_hz:
            clock = _fastest(board, limit)
            if clock is None:
                break
            if abs(clock.baud_error) < MAX_BAUD_ERROR:
                return clock
            # Down to where one cycle per bit less is just good enough.
            limit = min(clock.hz - 1, (clock.hz // board.baud) * board.baud * (1 + MAX_BAUD_ERROR) - 1)
    raise ClockError(
        f"{board.title}: a clock of {wanted_hz / 1e6:g} MHz cannot be made; the PLL makes {limits.output}, "
        f"the oscillator {board.oscillator_hz / 1e6:g} MHz, and the UART of {board.baud:,} baud needs at least "
        f"{slowest_hz / 1e6:g} MHz"
    )


def _fastest(board: ClockedBoard, limit_hz: Fraction) -> Clock | None:
    """The fastest clock up to `limit_hz`, whatever the UART makes of it; the PLL's, unless the oscillator is faster."""
    pll = settings_for(board.pll_limits, board.oscillator_hz, limit_hz)
    if board.oscillator_hz <= limit_hz and (pll is None or pll.output_hz < board.oscillator_hz):
        pll = None
    elif pll is None:
        return None
    return Clock(oscillator_hz=board.oscillator_hz, pll=pll, baud=board.baud)
