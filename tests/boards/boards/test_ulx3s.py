"""Pins of the ULX3S, against doc/constraints/ulx3s_v20.lpf of https://github.com/emard/ulx3s."""

from __future__ import annotations

import pytest

from tests.boards.boards.pins import plan

pytestmark = pytest.mark.slow


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
