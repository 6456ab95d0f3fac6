"""Boards by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from presparse_boards.boards.definition import BoardError
from presparse_boards.boards.registry import BOARDS, find_board


def test_all_boards_by_name() -> None:
    assert list(BOARDS) == [
        "ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f", "ecpix5-45f", "ecpix5-85f", "icebreaker",
        "colorlight-i5", "colorlight-5a-75b", "arty-a7-35t", "arty-a7-100t",
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


def test_listing_boards_needs_no_amaranth() -> None:
    """A host finds serial ports by the same table."""
    code = (
        "import sys; from presparse_boards.boards.registry import BOARDS; assert BOARDS; "
        "sys.exit(any(name.split('.')[0] in ('amaranth', 'amaranth_boards', 'presparse_hw') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
