"""Pins of the Colorlight cards, against what others measured: https://github.com/wuxx/Colorlight-FPGA-Projects (i5) and
https://github.com/q3k/chubby75 (5A-75B)."""

from __future__ import annotations

import pytest

from tests.boards.boards.pins import plan, sdram_pins


def test_i5_sdram() -> None:
    """Chip select and the byte masks are tied low, CKE high: none of them has a pin."""
    assert sdram_pins("colorlight-i5") == {
        "clk": "B9",
        "we": "~A10",
        "ras": "~B10",
        "cas": "~A9",
        "ba": "B11 C8",
        "a": "B13 C14 A16 A17 B16 B15 A14 A13 A12 A11 B12",
        "dq": "B6 A5 A6 A7 C7 B8 B5 A8 D8 D7 E8 D6 C6 D5 E7 C5 "
        "C10 D9 E11 D11 C11 D12 E9 C12 E14 C15 E13 D15 E12 B17 D14 D13",
    }


def test_5a_75b_sdram() -> None:
    assert sdram_pins("colorlight-5a-75b") == {
        "clk": "C8",
        "we": "~B5",
        "ras": "~B6",
        "cas": "~A6",
        "ba": "B7 A8",
        "a": "A9 B9 B10 C10 D9 C9 E9 D8 E8 C7 B8",
        "dq": "B2 A2 C3 A3 B3 A4 B4 A5 E7 C6 D7 D6 E6 D5 C5 E5 "
        "A11 B11 B12 A13 B13 A14 B14 D14 D13 E11 C13 D11 C12 E10 C11 D10",
    }


@pytest.mark.slow
def test_i5() -> None:
    found = plan("colorlight-i5")
    assert found.sites == {"clk25_0": "P3", "uart_0__rx": "H18", "uart_0__tx": "J17", "led_0": "U16"}
    assert all("IO_TYPE=LVCMOS33" in attributes for attributes in found.attributes.values())
    assert "PULLMODE=UP" in found.attributes["uart_0__rx"]
    assert found.clocks_mhz == {"clk25_0": 25.0}
    place = next(line for line in found.script if "NEXTPNR_ECP5" in line and "--json" in line)
    assert "--25k --package CABGA381 --speed 6" in place


@pytest.mark.slow
def test_5a_75b() -> None:
    found = plan("colorlight-5a-75b")
    assert found.sites == {
        "clk25_0": "P6",
        "uart_0__rx": "R7",  # KEY+
        "uart_0__tx": "T6",  # DATA_LED-
        "led_0": "C4",  # J1, R0
    }
    assert all("IO_TYPE=LVCMOS33" in attributes for attributes in found.attributes.values())
    assert "PULLMODE=UP" in found.attributes["uart_0__rx"]
    assert found.clocks_mhz == {"clk25_0": 25.0}
    place = next(line for line in found.script if "NEXTPNR_ECP5" in line and "--json" in line)
    assert "--25k --package CABGA256 --speed 6" in place
