"""Pins of the iCEBreaker, against icebreaker.pcf of https://github.com/icebreaker-fpga/icebreaker-examples."""

from __future__ import annotations

import pytest

from tests.boards.boards.pins import plan


@pytest.mark.slow
def test_pins() -> None:
    found = plan("icebreaker")
    assert found.sites == {
        "clk12_0": "35",
        "button_0": "10",
        "uart_0__rx": "6",
        "uart_0__tx": "9",
        "led_0": "11",
        "led_1": "37",
    }
    assert found.clocks_mhz == {"clk12_0": 12.0}
    place = next(line for line in found.script if "NEXTPNR_ICE40" in line and "--json" in line)
    assert "--up5k --package sg48" in place


@pytest.mark.slow
def test_the_pll_sits_behind_the_clocks_pin() -> None:
    """12 MHz * 80 / 32 = 30 MHz."""
    text = plan("icebreaker").files["top.il"]
    cell = text[text.index("cell \\SB_PLL40_PAD") :]
    cell = cell[: cell.index("\n  end")]
    for setting in ("\\DIVR 4'0000", "\\DIVF 7'1001111", "\\DIVQ 3'101", "\\FILTER_RANGE 3'001"):
        assert f"parameter {setting}" in cell
    assert "connect \\PACKAGEPIN \\clk12_0__io" in cell
