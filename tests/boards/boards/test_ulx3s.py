"""Pins of the ULX3S, against doc/constraints/ulx3s_v20.lpf of https://github.com/emard/ulx3s."""

from __future__ import annotations

import pytest

from tests.boards.boards.pins import plan, sdram_pins


def test_sdram() -> None:
    assert sdram_pins("ulx3s-85f") == {
        "clk": "F19",
        "clk_en": "F20",
        "cs": "~P20",
        "we": "~T20",
        "ras": "~R20",
        "cas": "~T19",
        "ba": "P19 N20",
        "a": "M20 M19 L20 L19 K20 K19 K18 J20 J19 H20 N19 G20 G19",
        "dq": "J16 L18 M18 N18 P18 T18 T17 U20 E19 D20 D19 C20 E18 F18 J18 J17",
        "dqm": "U19 E20",
    }


@pytest.mark.slow
@pytest.mark.parametrize("size", ["12", "25", "45", "85"])
def test_pins(size: str) -> None:
    found = plan(f"ulx3s-{size}f")
    assert found.sites == {
        "clk25_0": "G2",
        "button_fire_0": "R1",
        "uart_0__rx": "M1",  # ftdi_txd
        "uart_0__tx": "L4",  # ftdi_rxd
        "led_0": "B2",
        "led_1": "C2",
    }
    assert all("IO_TYPE=LVCMOS33" in attributes for attributes in found.attributes.values())
    assert "PULLMODE=DOWN" in found.attributes["button_fire_0"]
    assert found.clocks_mhz == {"clk25_0": 25.0}
    place = next(line for line in found.script if "NEXTPNR_ECP5" in line and "--json" in line)
    assert f"--{size}k --package CABGA381 --speed 6" in place
