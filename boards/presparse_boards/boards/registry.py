"""All boards, by name. Nothing here imports Amaranth: listing them takes no time."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from presparse_boards.boards import arty_a7, colorlight_5a_75b, colorlight_i5, ecpix5, icebreaker, ulx3s
from presparse_boards.boards.definition import Board, BoardError

_FILES = (ulx3s, ecpix5, icebreaker, colorlight_i5, colorlight_5a_75b, arty_a7)

BOARDS: Mapping[str, Board] = MappingProxyType({board.name: board for file in _FILES for board in file.BOARDS})


def find_board(name: str) -> Board:
    """The board of this name. Raises BoardError, naming the closest ones."""
    if name in BOARDS:
        return BOARDS[name]
    close = difflib.get_close_matches(name.lower(), BOARDS, n=4, cutoff=0.5)
    meant = f"did you mean {' or '.join(close)}?" if close else f"boards: {', '.join(BOARDS)}"
    raise BoardError(f"there is no board {name!r}; {meant}")
