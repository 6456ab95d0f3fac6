"""Pins of the Arty A7, against Arty-A7-35-Master.xdc of https://github.com/Digilent/digilent-xdc, and its project."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from presparse_boards.boards.registry import find_board
from presparse_boards.errors import BoardError, ClockError
from presparse_boards.flow.vivado import write_project
from tests.boards.boards.pins import BUILD, plan

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", ["35", "100"])
def test_pins(size: str) -> None:
    found = plan(f"arty-a7-{size}t")
    assert found.sites == {
        "clk100_0": "E3",
        "rst_0": "C2",  # ck_rst, the red button
        "uart_0__rx": "A9",  # uart_txd_in
        "uart_0__tx": "D10",  # uart_rxd_out
        "led_0": "H5",
        "led_1": "J5",
    }
    assert all(attributes == {"IOSTANDARD=LVCMOS33"} for attributes in found.attributes.values())
    assert found.clocks_mhz == {"clk100_0": 100.0}
    assert f"create_project -force -name top -part xc7a{size}ticsg324-1L" in found.files["top.tcl"]
    assert ".CLKFBOUT_MULT_F(12.0)" in found.files["top.v"]
    assert ".CLKOUT0_DIVIDE_F(12.0)" in found.files["top.v"]


def test_project(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "project"
    board = find_board("arty-a7-35t")
    said = write_project(BUILD, board, folder, clock_hz=60e6)
    assert {"top.v", "top.xdc", "top.tcl", "build_top.sh", "build_top.bat", "README.txt"} <= {
        path.name for path in folder.iterdir()
    }
    assert [path.name for path in folder.parent.iterdir()] == ["project"]
    assert "(60 MHz, 6,000,000 baud)" in said
    assert "There is no bitstream yet: that takes AMD's Vivado" in said
    assert (folder / "README.txt").read_text() == said + "\n"
    assert "endmodule" in (folder / "top.v").read_text()
    script = subprocess.run(["sh", "-n", folder / "build_top.sh"], check=False)
    assert script.returncode == 0

    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(BoardError, match="project exists already; name a new folder, or delete it"):
        write_project(BUILD, board, folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_refusals_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(ClockError, match="a clock of 900 MHz cannot be made"):
        write_project(BUILD, find_board("arty-a7-35t"), tmp_path / "project", clock_hz=900e6)
    with pytest.raises(BoardError, match="ulx3s-85f needs no Vivado"):
        write_project(BUILD, find_board("ulx3s-85f"), tmp_path / "project")
    assert not list(tmp_path.iterdir())
