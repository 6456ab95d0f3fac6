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


def test_pins_of_usb() -> None:
    """Against the constraints of the maker's schematic, as amaranth-boards has them; the clock is the PHY's."""
    found = plan("ecpix5-85f", "usb")
    data = ("M26", "L25", "L26", "K25", "K26", "J23", "P25", "H25")
    assert found.sites == {
        "clk100_0": "K23",
        "rst_0": "AB1",
        "ulpi_0__clk": "H24",
        **{f"ulpi_0__data[{index}]": site for index, site in enumerate(data)},
        "ulpi_0__dir": "F22",
        "ulpi_0__nxt": "F23",
        "ulpi_0__stp": "H23",
        "ulpi_0__rst": "E23",
        "led_0": "R21",
        "led_1": "T24",
    }
    assert all("IO_TYPE=LVCMOS33" in attributes for attributes in found.attributes.values())
    assert found.clocks_mhz == {"clk100_0": 100.0, "ulpi_0__clk": 60.0}
