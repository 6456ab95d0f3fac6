"""What `presparse estimate` calls (entry point group "presparse.builder")."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from presparse.contract.build import Build, Mode
from presparse.contract.network import Network
from presparse.messages.estimate import Estimate
from presparse.messages.store import StoreWish
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board, known_boards
from presparse_boards.errors import ClockError, NoSdram
from presparse_boards.estimate.estimate import estimate
from presparse_boards.estimate.lane_search import NoFit, smallest_build, what_would_fit
from presparse_boards.estimate.store_choice import chosen_build, ways

_LOG = logging.getLogger("presparse.estimate")


def estimates(
    network: Network,
    boards: Sequence[str] = (),
    *,
    mode: Mode,
    lanes: tuple[int, ...] = (),
    store: StoreWish = "auto",
    options: Mapping[str, Any] | None = None,
) -> tuple[Estimate, ...]:
    """One estimate per board (all boards, if none are named); without `lanes`, with the best lanes of each.

    Where no lanes fit, the fewest are estimated; `advice` says what would fit. `options` are Build's. Of all boards,
    those are left out, with a warning in the log, that can make no clock as slow as the design is estimated to be, or
    that have no SDRAM, if that is wished for. Raises BoardError (unknown board; ClockError; NoSdram) and BuildError
    (lanes that the network does not allow).
    """

    def one(board: Board) -> Estimate:
        try:
            build = chosen_build(network, board, store=store, mode=mode, lanes=lanes, options=options or {})
        except NoFit:
            build = smallest_build(network, mode=mode, **ways(network, board, store, options or {})[-1])
        return _advised(build, board)

    if boards:
        return tuple(one(find_board(name)) for name in boards)
    found = []
    for board in known_boards().boards.values():
        try:
            found.append(one(board))
        except (ClockError, NoSdram) as error:
            _LOG.warning("no estimate: %s", error)
    return tuple(found)


def _advised(build: Build, board: Board) -> Estimate:
    found = estimate(build, board)
    return found if found.fits else estimate(build, board, advice=what_would_fit(build, board))
