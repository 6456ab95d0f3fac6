"""All boards, by name: those here, and those of other packages. Nothing here imports Amaranth."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from presparse import plugins
from presparse_boards.boards import (
    arty_a7,
    colorlight_5a_75b,
    colorlight_i5,
    ecpix5,
    icebreaker,
    icepi_zero,
    icesugar_pro,
    ulx3s,
)
from presparse_boards.boards.definition import Board
from presparse_boards.errors import BoardError

_FILES = (ulx3s, ecpix5, icebreaker, colorlight_i5, colorlight_5a_75b, icepi_zero, icesugar_pro, arty_a7)

BOARDS: Mapping[str, Board] = MappingProxyType({board.name: board for file in _FILES for board in file.BOARDS})
"""Those that come with Presparse: one of the mappings in the entry-point group "presparse.boards"."""


@dataclass(frozen=True)
class Known:
    """Boards of all installed packages."""

    boards: Mapping[str, Board]
    unusable: Mapping[str, str]
    """Why, by board, or by package if none of its boards could be read."""


def known_boards() -> Known:
    """Those here first, then those of other packages. Whatever other packages hold, this raises nothing."""
    found = plugins.boards()
    ours = {name: board for name, board in BOARDS.items() if name not in found.unusable}
    boards = ours | {name: board for name, board in found.boards.items() if isinstance(board, Board)}
    strange = {
        name: f"{found.packages[name]} gives {name!r} as a {type(board).__name__}, which must be a "
        "presparse_boards.boards.definition.Board; mend that package or uninstall it"
        for name, board in found.boards.items()
        if not isinstance(board, Board)
    }
    return Known(boards, {**found.unusable, **strange})


def find_board(name: str) -> Board:
    """The board of this name. Raises BoardError, naming the closest ones, or why a package's board cannot be used."""
    known = known_boards()
    if name in known.boards:
        return known.boards[name]
    if name in known.unusable:
        raise BoardError(f"board {name!r} cannot be used: {known.unusable[name]}")
    close = difflib.get_close_matches(name.lower(), known.boards, n=4, cutoff=0.5)
    meant = f"did you mean {' or '.join(close)}?" if close else f"boards: {', '.join(known.boards)}"
    lost = "".join(f"; {reason}" for reason in known.unusable.values())
    raise BoardError(f"there is no board {name!r}; {meant}{lost}")
