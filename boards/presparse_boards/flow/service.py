"""What `presparse build` calls (entry point group "presparse.builder")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from presparse.contract.build import Build, Mode
from presparse.contract.network import Network
from presparse.messages.bundle import LinkKind, Manifest, Project, Step
from presparse.messages.store import StoreWish
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board
from presparse_boards.errors import BoardError, DoesNotFit
from presparse_boards.estimate.lane_search import fewer_lanes
from presparse_boards.estimate.store_choice import chosen_build, filled
from presparse_boards.flow.bundle import build_bundle
from presparse_boards.flow.implementation import Progress
from presparse_boards.flow.plan import toolchain_of
from presparse_boards.flow.vivado import VIVADO, write_project


def bundle(
    network: Network,
    board: str,
    *,
    folder: Path,
    mode: Mode = "train",
    lanes: tuple[int, ...] = (),
    link: LinkKind | None = None,
    store: StoreWish = "auto",
    clock_hz: float | None = None,
    seeds: int = 1,
    force: bool = False,
    scheduler: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress = lambda step: None,
) -> Manifest | Project:
    """A bundle at `folder`; of a board whose bitstreams need Vivado, a project for that.

    Without `lanes`, with those that make it fastest on the board: if synthesis finds that too many were chosen, with
    fewer. Without `link`, with the board's usual one. With `scheduler`, its address, its workers place and route.
    `options` are Build's.

    Raises what `build_bundle` and `write_project` do, BoardError (unknown board, a link that it does not have, NoFit,
    NoSdram; what a project has no use for), and BuildError (lanes that the network does not allow).
    """
    chosen = find_board(board).with_link(link)
    vivado = chosen.family.vendor_tool == VIVADO
    if vivado and (seeds != 1 or force or scheduler):
        raise BoardError(
            f"{board} needs {VIVADO}, and --seeds, --scheduler and --rebuild are for open tools; leave them out"
        )
    if not vivado:
        toolchain_of(chosen)
    build = chosen_build(network, chosen, store=store, mode=mode, lanes=lanes, options=options or {})
    if vivado:
        return write_project(build, chosen, folder, clock_hz=clock_hz, progress=progress)

    def made(build: Build, fill: float) -> Manifest:
        return build_bundle(
            build,
            chosen,
            folder=folder,
            clock_hz=clock_hz,
            seeds=seeds,
            force=force,
            fill=fill,
            scheduler=scheduler,
            progress=progress,
        )

    return made(build, 1.0) if lanes else _with_lanes_that_fit(build, chosen, made, progress)


def _with_lanes_that_fit(
    build: Build, board: Board, made: Callable[[Build, float], Manifest], progress: Progress
) -> Manifest:
    """The estimate may have taken LUTs for too few; synthesis counts them, long before place-and-route gives up."""
    while True:
        # The fewest lanes are tried to the end: there is nothing to go on with.
        fill = board.family.fillable if fewer_lanes(build, board) else 1.0
        try:
            return made(build, fill)
        except DoesNotFit as error:
            fewer = fewer_lanes(build, board, error.use)
            if fewer is None:
                raise
            found = f"{_listed(build)} take {error.use.lut.share:.0%} of the LUTs; going on with {_listed(fewer)}"
            progress(Step(name="fewer lanes", done=True, found=found))
            build = filled(fewer, board)


def _listed(build: Build) -> str:
    return ",".join(map(str, build.lanes))
