"""What the tools are given: Amaranth elaborates the top and writes netlist, constraints and command lines."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from presparse.contract.build import Build
from presparse_boards.boards.definition import Board, Family
from presparse_boards.clocking.clock import Clock
from presparse_boards.flow.errors import MakeError
from presparse_boards.gateware.top import BoardTop
from presparse_hw.lib.delays import LOCAL

TOP = "top"
TOOLCHAIN: Mapping[Family, tuple[str, str, str]] = {
    "ecp5": ("yosys", "nextpnr-ecp5", "ecppack"),
    "ice40": ("yosys", "nextpnr-ice40", "icepack"),
}
"""Synthesis, place-and-route, packer."""
SYNTHESIS: Mapping[Family, str] = {"ecp5": "-abc9", "ice40": "-abc9"}
"""Options. iCE40 without -dsp: see `presparse_boards.families.ice40.primitives`."""
KEEP_LOCAL = f"proc\nsetattr -set keep 1 a:{LOCAL} %ci:+[Q] t:$*dff* %i"
"""Yosys must not merge registers that stand beside what they drive with equal ones elsewhere."""
ROUTED: Mapping[Family, tuple[str, str]] = {"ecp5": ("--textcfg", ".config"), "ice40": ("--asc", ".asc")}
"""The option that names place-and-route's result, and the result's suffix."""
CONSTRAINTS: Mapping[Family, tuple[str, str]] = {"ecp5": ("--lpf", ".lpf"), "ice40": ("--pcf", ".pcf")}
BITSTREAM: Mapping[Family, str] = {"ecp5": ".bit", "ice40": ".bin"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Files and options for the tools. `clock` is what the top was elaborated for."""

    family: Family
    clock: Clock
    files: dict[str, str | bytes]
    device_options: tuple[str, ...]
    """Place-and-route: device, package, speed grade, and the placer if it is not the tool's own choice."""
    pack_options: tuple[str, ...]

    @property
    def place_and_route(self) -> str:
        return TOOLCHAIN[self.family][1]

    @property
    def pack(self) -> str:
        return TOOLCHAIN[self.family][2]

    def placed_with(self, placer: Sequence[str]) -> Plan:
        """The plan for another placer: its option, or nothing."""
        return replace(self, device_options=(*self.device_options, *placer))

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)


def tools_for(board: Board) -> tuple[str, str, str]:
    """Synthesis, place-and-route, packer. Raises MakeError for a board whose bitstreams need its vendor's tool."""
    if board.family not in TOOLCHAIN:
        raise MakeError(
            f"{board.name}: bitstreams for this board need {board.vendor_tool}, which no open tool replaces; "
            "see docs/boards.md for the project that Presparse writes for it"
        )
    return TOOLCHAIN[board.family]


def make_plan(build: Build, board: Board, clock_hz: float, build_id: str) -> Plan:
    """Elaborate (1 to 60 s). Raises ClockError, MakeError."""
    tools_for(board)
    top = BoardTop(build, board, clock_hz, build_id=build_id, adjustable=True)
    collects = gc.isenabled()
    gc.disable()  # Amaranth makes millions of objects that stay
    try:
        plan = board.platform().prepare(
            top, TOP, emit_src=False, synth_opts=SYNTHESIS[board.family], script_after_read=KEEP_LOCAL
        )
    finally:
        if collects:
            gc.enable()
    commands: list[list[str]] = json.loads(plan.files[f"build_{TOP}.json"])["commands"]
    needed = (f"{TOP}.il", f"{TOP}.ys", TOP + CONSTRAINTS[board.family][1])
    return Plan(
        family=board.family,
        clock=top.clock,
        files={name: plan.files[name] for name in needed},
        device_options=_without(commands[1][1:], "--quiet", "--log", "--json", *_named(board.family)),
        pack_options=("--compress",) if "--compress" in commands[2] else (),
    )


def _named(family: Family) -> tuple[str, str]:
    return CONSTRAINTS[family][0], ROUTED[family][0]


def _without(options: Sequence[str], flag: str, *with_value: str) -> tuple[str, ...]:
    kept, words = [], iter(options)
    for word in words:
        if word in with_value:
            next(words)
        elif word != flag:
            kept.append(word)
    return tuple(kept)
