"""What `presparse build` calls (entry point group "presparse.builder")."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.messages.bundle import Manifest
from presparse_boards.boards.registry import find_board
from presparse_boards.estimate.lane_search import best_build
from presparse_boards.flow.bundle import build_bundle
from presparse_boards.flow.implementation import Progress
from presparse_boards.flow.plan import toolchain_of


def bundle(
    network: Network,
    board: str,
    *,
    folder: Path,
    mode: Literal["train", "infer"] = "train",
    lanes: tuple[int, ...] = (),
    clock_hz: float | None = None,
    seeds: int = 1,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
    progress: Progress = lambda step: None,
) -> Manifest:
    """A bundle at `folder`; without `lanes`, with those that make it fastest on the board. `options` are Build's.

    Raises what `build_bundle` does, BoardError (unknown board, NoFit), and BuildError (lanes that the network does
    not allow).
    """
    chosen = find_board(board)
    toolchain_of(chosen)
    if lanes:
        build = Build(network=network, lanes=lanes, mode=mode, **(options or {}))
    else:
        build = best_build(network, chosen, mode=mode, **(options or {}))
    return build_bundle(build, chosen, folder=folder, clock_hz=clock_hz, seeds=seeds, force=force, progress=progress)
