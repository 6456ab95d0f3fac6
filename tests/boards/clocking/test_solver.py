"""PLL settings: hand-computed vectors, the data sheets' limits, and nothing better left out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from presparse_boards.clocking.solver import Limits, settings_for
from presparse_boards.families.ecp5.dividers import LIMITS as ECP5
from presparse_boards.families.ice40.dividers import LIMITS as ICE40
from presparse_boards.families.ice40.dividers import filter_range
from presparse_boards.families.xc7.family import LIMITS as XC7

MHZ = 1_000_000


@pytest.mark.parametrize(
    ("limits", "oscillator_mhz", "wanted_hz", "dividers", "output_hz"),
    [
        # 25 MHz * 32 = 800 MHz, / 8
        (ECP5, 25, 100 * MHZ, (1, 32, 8), 100 * MHZ),
        # 25 / 2 * 63 = 787.5 MHz, / 8; 25 * 27 = 675 / 7 = 96.4 is further away
        (ECP5, 25, 99 * MHZ, (2, 63, 8), Fraction(98_437_500)),
        # 25 * 23 = 575 MHz, / 12; 762.5 / 16, 712.5 / 15, 662.5 / 14, 525 / 11 are further away
        (ECP5, 25, 48 * MHZ, (1, 23, 12), Fraction(575 * MHZ, 12)),
        (ECP5, 100, 125 * MHZ, (1, 5, 4), 125 * MHZ),
        # 12 MHz * 64 = 768 MHz, / 32, as icepll prints it
        (ICE40, 12, 24 * MHZ, (1, 64, 32), 24 * MHZ),
        (ICE40, 12, 96 * MHZ, (1, 64, 8), 96 * MHZ),
        # 12 * 66 = 792, / 16 = 49.5
        (ICE40, 12, 50 * MHZ, (1, 66, 16), Fraction(49_500_000)),
        (XC7, 100, 100 * MHZ, (1, 12, 12), 100 * MHZ),
        # 100 / 5 * 56 = 1120 MHz, / 9 = 124.4 is beaten by 100 * 10 / 8
        (XC7, 100, 125 * MHZ, (1, 10, 8), 125 * MHZ),
    ],
)
def test_vectors(
    limits: Limits, oscillator_mhz: int, wanted_hz: int, dividers: tuple[int, int, int], output_hz: Fraction
) -> None:
    settings = settings_for(limits, oscillator_mhz * MHZ, Fraction(wanted_hz))
    assert settings is not None
    assert (settings.input_divider, settings.multiplier, settings.output_divider) == dividers
    assert settings.output_hz == output_hz


# As the data sheets have them: oscillator, detector, VCO and output in MHz; largest input divider and multiplier,
# output dividers.
DATA_SHEETS = [
    pytest.param(ECP5, 25, (10, 400), (400, 800), (3.125, 400), (128, 128, range(1, 129)), id="ecp5-25"),
    pytest.param(ECP5, 100, (10, 400), (400, 800), (3.125, 400), (128, 128, range(1, 129)), id="ecp5-100"),
    pytest.param(ICE40, 12, (10, 133), (533, 1066), (16, 275), (16, 128, (2, 4, 8, 16, 32, 64)), id="ice40-12"),
    pytest.param(XC7, 100, (10, 450), (600, 1200), (4.69, 800), (106, 64, range(1, 129)), id="xc7-100"),
]


def every_output(
    oscillator_mhz: int,
    detector: tuple[int, int],
    vco: tuple[int, int],
    output: tuple[float, float],
    dividers: tuple[int, int, Sequence[int]],
) -> list[Fraction]:
    """All frequencies in Hertz that any dividers make within these limits, ascending."""
    return sorted(
        {
            Fraction(oscillator_mhz * MHZ * n, d * k)
            for d in range(1, dividers[0] + 1)
            if detector[0] * d <= oscillator_mhz <= detector[1] * d
            for n in range(1, dividers[1] + 1)
            if vco[0] * d <= oscillator_mhz * n <= vco[1] * d
            for k in dividers[2]
            if output[0] * d * k <= oscillator_mhz * n <= output[1] * d * k
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(("limits", "oscillator_mhz", "detector", "vco", "output", "dividers"), DATA_SHEETS)
def test_every_clock_is_within_the_data_sheet_and_the_nearest_there_is(
    limits: Limits,
    oscillator_mhz: int,
    detector: tuple[int, int],
    vco: tuple[int, int],
    output: tuple[float, float],
    dividers: tuple[int, int, Sequence[int]],
) -> None:
    def within(hz: Fraction, mhz: tuple[float, float]) -> bool:
        return mhz[0] * MHZ <= hz <= mhz[1] * MHZ

    outputs = every_output(oscillator_mhz, detector, vco, output, dividers)
    for wanted_mhz in range(10, 201):
        settings = settings_for(limits, oscillator_mhz * MHZ, Fraction(wanted_mhz * MHZ))
        below = [hz for hz in outputs if hz <= wanted_mhz * MHZ]
        if not below:
            assert settings is None
            assert wanted_mhz < 17
            continue
        assert settings is not None
        assert settings.output_hz == below[-1]
        assert within(settings.phase_detector_hz, detector)
        assert within(settings.vco_hz, vco)
        assert within(settings.output_hz, output)
        assert 1 <= settings.input_divider <= dividers[0]
        assert 1 <= settings.multiplier <= dividers[1]
        assert settings.output_divider in dividers[2]
        # How close that is: within 2 %, but an iCE40 only divides by powers of two.
        assert settings.output_hz >= wanted_mhz * MHZ * Fraction(95 if limits is ICE40 else 98, 100)


def test_loop_filters_of_an_ice40() -> None:
    """The steps of icepll, from Lattice's usage guide."""
    for mhz, value in ((10, 1), (16, 1), (17, 2), (25, 2), (26, 3), (44, 4), (66, 5), (101, 6), (133, 6)):
        assert filter_range(Fraction(mhz * MHZ)) == value
