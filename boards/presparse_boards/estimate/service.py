"""What `presparse estimate` calls (entry point group "presparse.builder")."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.messages.estimate import Estimate
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board, known_boards
from presparse_boards.errors import ClockError
from presparse_boards.estimate.estimate import estimate
from presparse_boards.estimate.lane_search import NoFit, best_build, smallest_build, what_would_fit

_LOG = logging.getLogger("presparse.estimate")


def estimates(
    network: Network,
    boards: Sequence[str] = (),
    *,
    mode: Literal["train", "infer"],
    lanes: tuple[int, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> tuple[Estimate, ...]:
    """One estimate per board (all boards, if none are named); without `lanes`, with the best lanes of each.

    Where no lanes fit, the fewest are estimated; `advice` says what would fit. `options` are Build's. Of all boards,
    those are left out, with a warning in the log, that can make no clock as slow as the design is estimated to be.
    Raises BoardError (unknown board; ClockError) and BuildError (lanes that the network does not allow).
    """
    build = Build(network=network, lanes=lanes, mode=mode, **(options or {})) if lanes else None

    def one(board: Board) -> Estimate:
        return _advised(build, board) if build else _best(network, board, mode, options or {})

    if boards:
        return tuple(one(find_board(name)) for name in boards)
    found = []
    for board in known_boards().boards.values():
        try:
            found.append(one(board))
        except ClockError as error:
            _LOG.warning("no estimate: %s", error)
    return tuple(found)


def _best(network: Network, board: Board, mode: Literal["train", "infer"], options: Mapping[str, Any]) -> Estimate:
    try:
        return estimate(best_build(network, board, mode=mode, **options), board)
    except NoFit:
        return _advised(smallest_build(network, mode=mode, **options), board)


def _advised(build: Build, board: Board) -> Estimate:
    found = estimate(build, board)
    return found if found.fits else estimate(build, board, advice=what_would_fit(build, board))
