"""Projects for boards whose bitstreams only their vendor's tool can make. Nothing here runs that tool."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from presparse.contract.build import Build
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.errors import BoardError
from presparse_boards.gateware.top import BoardTop
from presparse_hw.link.endpoint import NO_BUILD_ID

TOP = "top"
README = "README.txt"


def write_project(
    build: Build, board: Board, folder: Path, *, clock_hz: float | None = None, build_id: str = NO_BUILD_ID
) -> str:
    """Write a Vivado project of a build into a new folder: sources, constraints, scripts that run Vivado.

    Returns what the user has to do then. Whether the design fits, and at which clock, only Vivado knows.

    Raises BoardError if the board does not need Vivado or the folder exists, ClockError.
    """
    if board.family.vendor_tool != "Vivado":
        raise BoardError(
            f"{board.name} needs no Vivado: `presparse build NETWORK --board {board.name}` makes its bitstream"
        )
    if folder.exists():
        raise BoardError(f"{folder} exists already; name a new folder, or delete it")
    clock = plan_clock(board, clock_hz or board.default_clock_hz)
    plan = board.platform().prepare(BoardTop(build, board, float(clock.hz), build_id=build_id), TOP)
    todo = (
        f"{folder} holds a Vivado project of this build for {board.title} ({float(clock.hz) / 1e6:g} MHz, "
        f"{float(clock.achieved_baud):,.0f} baud). There is no bitstream yet: that takes AMD's Vivado, which is not "
        f"part of Presparse and was not run. With Vivado on the PATH run `sh build_{TOP}.sh` there (Windows: "
        f"build_{TOP}.bat), check that {TOP}_timing.rpt says that all constraints are met, then load {TOP}.bit: "
        f"openFPGALoader {' '.join(board.program)} {TOP}.bit"
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        project = Path(unfinished) / folder.name
        plan.extract(str(project))
        (project / README).write_text(todo + "\n", encoding="utf-8")
        shutil.move(project, folder)
    return todo
