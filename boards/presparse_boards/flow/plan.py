"""What the tools are given: Amaranth elaborates the top and writes netlist, constraints and command lines."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from presparse.contract.build import Build
from presparse.messages.bundle import Use
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import Clock
from presparse_boards.clocking.solver import Band
from presparse_boards.errors import MakeError
from presparse_boards.families.toolchain import Toolchain
from presparse_boards.gateware.top import BoardTop
from presparse_hw.lib.delays import LOCAL

TOP = "top"
KEEP_LOCAL = f"proc\nsetattr -set keep 1 a:{LOCAL} %ci:+[Q] t:$*dff* %i"
"""Yosys must not merge registers that stand beside what they drive with equal ones elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Files and options for the tools. `clock` is what the top was elaborated for."""

    toolchain: Toolchain
    clock: Clock
    clocks: Band | None
    """To which the design can be set after routing; None: to all that the board makes."""
    files: dict[str, str | bytes]
    device_options: tuple[str, ...]
    """Place-and-route: device, package, speed grade, and the placer if it is not the tool's own choice."""
    pack_options: tuple[str, ...]

    def for_size(self, use: Use) -> Plan:
        """The plan with the placer for a design that takes so much."""
        return replace(self, device_options=(*self.device_options, *self.toolchain.placer(use)))

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)


def toolchain_of(board: Board) -> Toolchain:
    """The open tools for a board. Raises MakeError for one whose bitstreams need its vendor's tool."""
    if board.family.toolchain is None:
        raise MakeError(
            f"{board.name}: bitstreams for this board need {board.family.vendor_tool}, which no open tool replaces; "
            "see docs/boards.md for the project that Presparse writes for it"
        )
    return board.family.toolchain


def make_plan(build: Build, board: Board, clock_hz: float, build_id: str) -> Plan:
    """Elaborate (1 to 60 s). Raises ClockError, MakeError, BoardError (what the board's platform lacks; NoSdram)."""
    toolchain = toolchain_of(board)
    platform = board.platform()
    top = BoardTop(build, board, clock_hz, build_id=build_id, adjustable=toolchain)
    collects = gc.isenabled()
    gc.disable()  # Amaranth makes millions of objects that stay
    try:
        plan = platform.prepare(
            top, TOP, emit_src=False, synth_opts=toolchain.synthesis_options, script_after_read=KEEP_LOCAL
        )
    finally:
        if collects:
            gc.enable()
    needed = (f"{TOP}.il", f"{TOP}.ys", TOP + toolchain.constraints[1])
    if lacking := [name for name in needed if name not in plan.files]:
        raise MakeError(
            f"{board.name}: its platform {type(platform).__name__} writes no {' and no '.join(lacking)}: it is not for "
            f"the tools of the board's family, {board.family.name}"
        )
    commands: list[list[str]] = json.loads(plan.files[f"build_{TOP}.json"])["commands"]
    options = (toolchain.constraints[0], toolchain.routed[0])
    return Plan(
        toolchain=toolchain,
        clock=top.clock,
        clocks=top.sdram.clocks if top.sdram else None,
        files={name: plan.files[name] for name in needed},
        device_options=_without(commands[1][1:], "--quiet", "--log", "--json", *options),
        pack_options=("--compress",) if "--compress" in commands[2] else (),
    )


def _without(options: Sequence[str], flag: str, *with_value: str) -> tuple[str, ...]:
    kept, words = [], iter(options)
    for word in words:
        if word in with_value:
            next(words)
        elif word != flag:
            kept.append(word)
    return tuple(kept)
