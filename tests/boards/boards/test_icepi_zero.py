"""Pins of the Icepi Zero, against the board file that its designer gave litex-boards (`icepi_zero`)."""

from __future__ import annotations

import pytest

from tests.boards.boards.pins import plan, sdram_pins


def test_sdram() -> None:
    assert sdram_pins("icepi-zero") == {
        "clk": "A3",
        "clk_en": "B4",
        "cs": "~B12",
        "we": "~A13",
        "ras": "~A12",
        "cas": "~B13",
        "ba": "A11 B11",
        "a": "B10 A9 B9 A8 B8 A7 B7 A6 B6 A5 A10 B5 A4",
        "dq": "B16 C14 C16 C15 D16 A15 B15 A14 A2 B2 E2 D1 C2 C1 C3 B1",
        "dqm": "B14 B3",
    }


@pytest.mark.slow
def test_pins() -> None:
    found = plan("icepi-zero")
    assert found.sites == {
        "clk50_0": "M1",
        "button_0": "C4",
        "uart_0__rx": "K16",
        "uart_0__tx": "K15",
        "led_0": "E13",
        "led_1": "D14",
    }
    assert all("IO_TYPE=LVCMOS33" in attributes for attributes in found.attributes.values())
    assert "PULLMODE=UP" in found.attributes["button_0"]
    assert found.clocks_mhz == {"clk50_0": 50.0}
    place = next(line for line in found.script if "NEXTPNR_ECP5" in line and "--json" in line)
    assert "--25k --package CABGA256 --speed 6" in place
