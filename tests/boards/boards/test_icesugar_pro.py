"""Pins of the iCESugar-pro, against src/litex_linux/top_bg256.lpf of https://github.com/wuxx/icesugar-pro."""

from __future__ import annotations

import pytest

from tests.boards.boards.pins import plan, sdram_pins


def test_sdram() -> None:
    assert sdram_pins("icesugar-pro") == {
        "clk": "R15",
        "clk_en": "L16",
        "cs": "~A14",
        "we": "~A15",
        "ras": "~B16",
        "cas": "~G16",
        "ba": "G15 B14",
        "a": "H15 B13 B12 J16 J15 R12 K16 R13 T13 K15 A13 R14 T14",
        "dq": "F16 E15 F15 D14 E16 C15 D16 B15 R16 P16 P15 N16 N14 M16 M15 L15",
        "dqm": "C16 T15",
    }


@pytest.mark.slow
def test_pins() -> None:
    found = plan("icesugar-pro")
    assert found.sites == {
        "clk25_0": "P6",
        "uart_0__rx": "A9",
        "uart_0__tx": "B9",
        "led_0": "A11",
        "led_1": "A12",
    }
    assert all("IO_TYPE=LVCMOS33" in attributes for attributes in found.attributes.values())
    assert "PULLMODE=UP" in found.attributes["uart_0__rx"]
    assert found.clocks_mhz == {"clk25_0": 25.0}
    place = next(line for line in found.script if "NEXTPNR_ECP5" in line and "--json" in line)
    assert "--25k --package CABGA256 --speed 6" in place
