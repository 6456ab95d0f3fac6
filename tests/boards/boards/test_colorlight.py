"""Pins of the Colorlight cards, against what others measured: https://github.com/wuxx/Colorlight-FPGA-Projects (i5) and
https://github.com/q3k/chubby75 (5A-75B)."""

from __future__ import annotations

import pytest

from tests.boards.boards.pins import plan

pytestmark = pytest.mark.slow


def test_i5() -> None:
    found = plan("colorlight-i5")
    assert found.sites == {"clk25_0": "P3", "uart_0__rx": "H18", "uart_0__tx": "J17", "led_0": "U16"}
    assert all("IO_TYPE=LVCMOS33" in attributes for attributes in found.attributes.values())
    assert "PULLMODE=UP" in found.attributes["uart_0__rx"]
    assert found.clocks_mhz == {"clk25_0": 25.0}
    place = next(line for line in found.script if "NEXTPNR_ECP5" in line and "--json" in line)
    assert "--25k --package CABGA381 --speed 6" in place


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
