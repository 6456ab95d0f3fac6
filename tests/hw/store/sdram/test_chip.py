"""A chip's times in cycles of a clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from presparse_hw.store.sdram.chip import (
    EM638325,
    IS42S16160,
    M12L16161A_PAIR,
    MT48LC16M16A2,
    W9825G6KH,
    Cycles,
    Sdram,
    SdramChip,
)

CHIPS = (MT48LC16M16A2, IS42S16160, W9825G6KH, EM638325, M12L16161A_PAIR)


def test_cycles_by_hand() -> None:
    """8.33 ns: 21 ns are 3 cycles, 44 ns 6, 66 ns 8."""
    assert Sdram(chip=MT48LC16M16A2, clock_hz=120e6).cycles == Cycles(
        cas=3, rcd=3, ras=6, rrd=2, rp=3, close=5, rfc=8, mrd=2, refresh=936, power_up=24_000
    )


def test_a_time_of_whole_cycles_is_not_rounded_up() -> None:
    cycles = Sdram(chip=replace(MT48LC16M16A2, t_rcd_ns=20.0), clock_hz=100e6).cycles
    assert (cycles.cas, cycles.rcd) == (2, 2)


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
@pytest.mark.parametrize("mhz", [25.0, 48.0, 100.0, 120.0, 133.0])
def test_no_time_is_too_short(chip: SdramChip, mhz: float) -> None:
    cycles, cycle_ns = Sdram(chip=chip, clock_hz=1e6 * mhz).cycles, 1e3 / mhz
    assert chip.clocks_mhz[cycles.cas] >= mhz
    for count, least in (
        (cycles.rcd, chip.t_rcd_ns),
        (cycles.ras, chip.t_ras_ns),
        (cycles.rrd, chip.t_rrd_ns),
        (cycles.rp, chip.t_rp_ns),
        (cycles.rfc, chip.t_rfc_ns),
        (cycles.ras + cycles.rp, chip.t_rc_ns),
        (cycles.close, chip.t_wr_ns + chip.t_rp_ns),
        (cycles.power_up, 1e3 * chip.power_up_us),
    ):
        assert count * cycle_ns >= least - 1e-6
    assert (cycles.refresh + 1) * cycle_ns <= 1e3 * chip.refresh_us + 1e-6


def test_sizes() -> None:
    assert [chip.words * 2 // 2**20 for chip in CHIPS] == [32, 32, 32, 8, 4]


def test_a_clock_that_is_too_fast_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"MT48LC16M16A2 runs at no more than 133 MHz, and the clock is 150 MHz; use a slower clock"
    ):
        Sdram(chip=MT48LC16M16A2, clock_hz=150e6)


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="MT48LC16M16A2: a column must have at most 10 address bits, and has 11"):
        replace(MT48LC16M16A2, columns=11)
