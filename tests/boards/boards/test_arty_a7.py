"""Pins of the Arty A7, against Arty-A7-35-Master.xdc of https://github.com/Digilent/digilent-xdc, and its project."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from presparse.contract.network import Network
from presparse.errors import OutputError
from presparse.messages.bundle import BundleError, Manifest, Project, Step
from presparse_boards.boards.registry import find_board
from presparse_boards.errors import BoardError, ClockError
from presparse_boards.flow.vivado import write_project
from presparse_hw.link.endpoint import NO_BUILD_ID
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
    board, steps = find_board("arty-a7-35t"), list[Step]()
    project = write_project(BUILD, board, folder, clock_hz=60e6, progress=steps.append)
    assert Project.load(folder) == project
    assert (
        {path.name for path in folder.iterdir()}
        == set(project.files)
        >= {
            *("top.v", "top.xdc", "top.tcl", "build_top.sh", "build_top.bat"),
            *("README.txt", "network.toml", "project.json"),
        }
    )
    assert [path.name for path in folder.parent.iterdir()] == ["project"]
    assert (project.board, project.tool, project.clock_mhz, project.baud) == ("arty-a7-35t", "Vivado", 60, 6_000_000)
    assert (project.build, project.contract_hash) == (BUILD, BUILD.hash)
    assert Network.load(folder / "network.toml") == BUILD.network
    assert project.build_id != NO_BUILD_ID
    readme = (folder / "README.txt").read_text()
    assert "There is no bitstream yet: that takes AMD's Vivado" in readme
    for line in (project.command, project.program, 'board = ps.open("arty-a7-35t", Project.load("THIS FOLDER").build)'):
        assert f"    {line}" in readme
    assert "endmodule" in (folder / "top.v").read_text()
    assert project.command == "sh build_top.sh"
    assert subprocess.run(["sh", "-n", folder / "build_top.sh"], check=False).returncode == 0
    assert [step.name for step in steps] == ["elaborating", "elaborated"]
    with pytest.raises(BundleError, match=r"project: a project for the vendor's tool, .*; its README\.txt tells how"):
        Manifest.load(folder)

    (folder / "top.bit").write_bytes(b"hours of Vivado")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OutputError, match=r"holds top\.bit, which is not of a Vivado project of Presparse; choose"):
        write_project(BUILD, board, folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_refusals_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(ClockError, match="a clock of 900 MHz cannot be made"):
        write_project(BUILD, find_board("arty-a7-35t"), tmp_path / "project", clock_hz=900e6)
    with pytest.raises(BoardError, match="ulx3s-85f needs no Vivado"):
        write_project(BUILD, find_board("ulx3s-85f"), tmp_path / "project")
    with pytest.raises(OutputError, match=r"^n{256}: the name, or the path to it, is too long for this disk"):
        write_project(BUILD, find_board("arty-a7-35t"), tmp_path / ("n" * 256))
    with pytest.raises(BundleError, match="not a bundle"):
        Project.load(tmp_path)
    assert not list(tmp_path.iterdir())
