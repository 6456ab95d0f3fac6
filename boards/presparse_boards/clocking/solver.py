"""Divider settings of a PLL for a wanted clock; exact fractions of Hertz throughout. Imports no Amaranth.

input / input_divider -> phase detector * multiplier -> VCO / output_divider -> output
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Band:
    """A range of frequencies, ends included."""

    low_hz: int
    high_hz: int

    def __contains__(self, hz: Fraction) -> bool:
        return self.low_hz <= hz <= self.high_hz

    def __str__(self) -> str:
        return f"{self.low_hz / 1e6:g} to {self.high_hz / 1e6:g} MHz"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a kind of PLL can do, from its data sheet."""

    input: Band
    phase_detector: Band
    vco: Band
    output: Band
    input_dividers: range
    multipliers: range
    output_dividers: tuple[int, ...]
    """Ascending."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A PLL's dividers, and the frequencies that follow from them."""

    input_hz: int
    input_divider: int
    multiplier: int
    output_divider: int

    @property
    def phase_detector_hz(self) -> Fraction:
        return Fraction(self.input_hz, self.input_divider)

    @property
    def vco_hz(self) -> Fraction:
        return self.phase_detector_hz * self.multiplier

    @property
    def output_hz(self) -> Fraction:
        return self.vco_hz / self.output_divider


def settings_for(limits: Limits, input_hz: int, wanted_hz: Fraction) -> Settings | None:
    """The settings whose output is nearest to `wanted_hz` without exceeding it; None if all outputs are above.

    Of settings with the same output, those with the fastest phase detector, then the fastest VCO: least jitter.
    """
    found = []
    for divider, multiplier, vco_hz in _oscillations(limits, input_hz):
        # The smallest output divider that is large enough gives the nearest output of this VCO frequency.
        index = bisect_left(limits.output_dividers, vco_hz / wanted_hz)
        if index < len(limits.output_dividers):
            output_divider = limits.output_dividers[index]
            if vco_hz / output_divider in limits.output:
                found.append(
                    Settings(
                        input_hz=input_hz,
                        input_divider=divider,
                        multiplier=multiplier,
                        output_divider=output_divider,
                    )
                )
    return max(found, key=lambda s: (s.output_hz, s.phase_detector_hz, s.vco_hz), default=None)


def _oscillations(limits: Limits, input_hz: int) -> Iterator[tuple[int, int, Fraction]]:
    """Input divider, multiplier and VCO frequency, wherever phase detector and VCO are within their limits."""
    for divider in limits.input_dividers:
        detector = Fraction(input_hz, divider)
        if detector in limits.phase_detector:
            for multiplier in limits.multipliers:
                if detector * multiplier in limits.vco:
                    yield divider, multiplier, detector * multiplier
