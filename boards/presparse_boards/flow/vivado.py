"""Projects for boards whose bitstreams only their vendor's tool can make. Nothing here runs that tool."""

from __future__ import annotations

from pathlib import Path

from presparse.contract.build import Build
from presparse.messages.bundle import NETWORK, PROJECT, BundleError, Project, Step
from presparse.support import atomic_folders
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.errors import BoardError
from presparse_boards.flow.identity import build_id
from presparse_boards.flow.implementation import Progress
from presparse_boards.flow.tools import tool_versions
from presparse_boards.gateware.top import BoardTop

VIVADO = "Vivado"
"""As a family's `vendor_tool` has it."""
TOP = "top"
README = "README.txt"
_WHAT = f"a {VIVADO} project of Presparse"


def write_project(
    build: Build,
    board: Board,
    folder: Path,
    *,
    clock_hz: float | None = None,
    progress: Progress = lambda step: None,
) -> Project:
    """Write a Vivado project of a build: sources, constraints, scripts that run Vivado, and what to do then.

    Whether the design fits, and whether it reaches the clock, only Vivado knows.

    Parameters
    ----------
    folder : appears when it is complete; an empty folder or a project that was there is replaced, nothing else
    clock_hz : the clock that Vivado is asked for; default: the board's

    Raises BoardError if the board does not need Vivado, ClockError, ToolMissing, OutputError (the folder).
    """
    if board.family.vendor_tool != VIVADO:
        raise BoardError(
            f"{board.name} needs no Vivado: `presparse build NETWORK --board {board.name}` makes its bitstream"
        )
    clock = plan_clock(board, clock_hz or board.default_clock_hz)
    tools = tool_versions(())
    atomic_folders.check_folder(folder, _WHAT, _owned, parents=True)
    identity = build_id(build, board, tools)
    progress(Step(name="elaborating"))
    plan = board.platform().prepare(BoardTop(build, board, float(clock.hz), build_id=identity), TOP)
    progress(Step(name="elaborated", done=True, found=f"for {board.title}"))
    mhz = round(float(clock.hz) / 1e6, 6)
    project = Project(
        name=build.network.name,
        board=board.name,
        device=board.full_device,
        mode=build.mode,
        lanes=build.lanes,
        clock_mhz=mhz,
        cycles_per_sample=build.schedule.period,
        baud=board.baud,
        contract_hash=build.hash,
        build_id=identity,
        tool=VIVADO,
        command=f"sh build_{TOP}.sh",
        bitstream=f"{TOP}.bit",
        program=f"openFPGALoader {' '.join(board.program)} {TOP}.bit",
        files=(*plan.files, NETWORK, README, PROJECT),
        build=build,
    )
    files = {
        **plan.files,
        NETWORK: build.network.to_toml(),
        README: _readme(project, board.title),
        PROJECT: project.model_dump_json(indent=1),
    }
    atomic_folders.write_folder(folder, files, _WHAT, _owned)
    return project


def _owned(folder: Path) -> tuple[str, ...]:
    """What a project holds before Vivado has run; nothing if there is none of ours."""
    try:
        return Project.load(folder).files
    except BundleError:
        return ()


def _readme(project: Project, title: str) -> str:
    return f"""A Vivado project that Presparse wrote: the network {project.name} for {title}.
Mode {project.mode}, lanes {project.lanes}, {project.clock_mhz:g} MHz, {project.baud:,} baud.

There is no bitstream yet: that takes AMD's Vivado, which is not part of Presparse and was not run.

1. Run Vivado, which must be on the PATH, in this folder:

    {project.command}        (Windows: build_{TOP}.bat)

2. {TOP}_timing.rpt must say that all constraints are met.
3. Load {project.bitstream} into the board:

    {project.program}

4. Open the board in Python:

    import presparse as ps
    from presparse.messages.bundle import Project

    board = ps.open("{project.board}", Project.load("THIS FOLDER").build)
"""
