"""Pins of the ECPIX-5, against https://docs.lambdaconcept.com/ecpix-5/ (clock and reset, debug, LEDs)."""

from __future__ import annotations

import pytest

from tests.boards.boards.pins import plan

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", ["45", "85"])
def test_pins(size: str) -> None:
    found = plan(f"ecpix5-{size}f")
    assert found.sites == {
        "clk100_0": "K23",
        "rst_0": "AB1",
        "uart_0__rx": "R26",
        "uart_0__tx": "R24",
        "led_0": "R21",  # LD5, green
        "led_1": "T24",  # LD6, blue
    }
    assert all("IO_TYPE=LVCMOS33" in attributes for attributes in found.attributes.values())
    assert found.clocks_mhz == {"clk100_0": 100.0}
    place = next(line for line in found.script if "NEXTPNR_ECP5" in line and "--json" in line)
    assert f"--um5g-{size}k --package CABGA554 --speed 8" in place
