"""The build that a board gets: its store, whether it takes compressed samples, and lanes if none are given."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from presparse.contract.build import DEFAULT_SAMPLE_BITS, Build, Mode
from presparse.contract.errors import BuildError
from presparse.contract.network import Network
from presparse.messages.store import StoreWish
from presparse.sizing.lanes import Lanes
from presparse_boards.boards.definition import Board
from presparse_boards.errors import NoSdram
from presparse_boards.estimate.lane_search import NoFit, best_build, fits_safely
from presparse_boards.estimate.model import figures

Options = Mapping[str, Any]
"""Of `Build`."""


def chosen_build(
    network: Network, board: Board, *, store: StoreWish, mode: Mode, lanes: Lanes, options: Options
) -> Build:
    """The build with what is wished for; without `lanes`, with those that make it fastest on the board.

    Of what the wish leaves open, it has as much as safely fits: a store in the board's SDRAM, else compressed samples
    over the link, else neither.

    Raises NoFit, without `lanes`; NoSdram; BuildError.
    """
    *better, plainest = ways(network, board, store, options)
    for way in better:
        with suppress(NoFit, BuildError):  # another way may do without what is refused
            build = _build(network, board, mode, lanes, way)
            if fits_safely(figures(build, board), board):
                return filled(build, board)
    return filled(_build(network, board, mode, lanes, plainest), board)


def ways(network: Network, board: Board, store: StoreWish, options: Options) -> tuple[Options, ...]:
    """Options of builds as they are wished for, the best first; `filled` puts as many samples into SDRAM as it holds.

    Raises NoSdram.
    """
    if isinstance(store, int):
        return ({**options, "store_samples": store},)
    if store == "sdram" and board.sdram is None:
        raise NoSdram(
            f"{board.title} has no SDRAM to store samples in; use --store N (N samples in block RAM) or --store none"
        )
    in_sdram = {**options, "store_memory": "sdram", "store_samples": 1}
    compressed = {"sample_bits": min(DEFAULT_SAMPLE_BITS, network.formats.activation.width), **options}
    found = [in_sdram] if board.sdram and store != "none" else []
    if store != "sdram":
        found += [compressed] if compressed == options else [compressed, dict(options)]
    return tuple(found)


def filled(build: Build, board: Board) -> Build:
    """The build with as many samples as the board's SDRAM holds, if it stores them there."""
    if build.store is None or build.store.memory != "sdram" or board.sdram is None:
        return build
    options = {key: getattr(build, key) for key in build.model_fields_set}
    return Build(**{**options, "store_samples": board.sdram.words >> build.store.largest_slot})


def _build(network: Network, board: Board, mode: Mode, lanes: Lanes, options: Options) -> Build:
    if lanes:
        return Build(network=network, lanes=lanes, mode=mode, **options)
    return best_build(network, board, mode=mode, **options)
