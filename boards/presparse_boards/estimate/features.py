"""What the coefficients of the estimate multiply: a few sums over the parts of a build, and what is known exactly."""

from __future__ import annotations

from dataclasses import dataclass

from presparse.contract.build import Build
from presparse.contract.schedule import MULTIPLY
from presparse_boards.boards.definition import Board
from presparse_boards.estimate.storage import storage
from presparse_boards.estimate.structure import structure
from presparse_boards.resources.multipliers import plan_multipliers

_UNITS = {"decoder": 800.0, "store": 700.0, "SDRAM": 700.0}
LUT_FEATURES = {
    "base": 2500.0, "training": 200.0, "junctions": 150.0, **_UNITS, "adders": 1.0, "choices": 1.0, "memories": 1.0,
    "multipliers": 1.0,
}  # fmt: skip
FF_FEATURES = {
    "base": 1500.0, "training": 200.0, "junctions": 150.0, **_UNITS, "registers": 1.0, "memories": 1.0,
    "multipliers": 1.0,
}  # fmt: skip
"""Features, and the coefficients that one would expect: one a bit."""
DELAY_FEATURES = ("base", "size", "SDRAM", "speed grade")


@dataclass(frozen=True)
class Features:
    """A build on a board, in numbers."""

    dsp: int
    block_ram: int
    distributed_ram: int
    single_port_ram: int
    lut: tuple[float, ...]
    """As LUT_FEATURES; besides, every distributed RAM cell takes the family's `memory.cell_luts`."""
    ff: tuple[float, ...]
    """As FF_FEATURES."""
    sdram: bool
    """There is a controller of an SDRAM, whose pins pull what is beside them apart."""


def features(build: Build, board: Board) -> Features:
    """Count. Raises nothing: what the board has too little of is for the estimate to say."""
    parts, stored = structure(build), storage(build, board)
    dsp, multiplier_luts, multiplier_registers = _multipliers(build, board)
    sdram = build.store is not None and build.store.memory == "sdram"
    units = float(build.sample_format is not None), float(build.store is not None), float(sdram)
    common = (1.0, float(build.training), float(len(build.junctions)), *units)
    return Features(
        dsp=dsp,
        block_ram=stored.blocks,
        distributed_ram=stored.cells,
        single_port_ram=stored.single_port,
        lut=(*common, parts.adder_bits, parts.choice_bits, stored.luts, multiplier_luts),
        ff=(*common, parts.register_bits, stored.registers, multiplier_registers),
        sdram=sdram,
    )


def _multipliers(build: Build, board: Board) -> tuple[int, float, float]:
    """(DSP blocks, LUTs of multipliers without one, registers of both)."""
    family = board.family
    plan = plan_multipliers(build, blocks=board.capacity.dsp, block=family.dsp)
    luts, registers = 0.0, 0.0
    for (a, b), count in plan.dsp.items():
        registers += count * (a + b) * (MULTIPLY - family.dsp.registers)
    for (a, b), count in plan.lut.items():
        one_luts, one_registers = family.lut_multiplier(a, b)
        luts, registers = luts + count * one_luts, registers + count * one_registers
    return plan.dsp_blocks, luts, registers


def delay_features(counted: Features, board: Board, luts: int) -> tuple[float, ...]:
    """As DELAY_FEATURES, given how many LUTs the build takes: wires are as long as the design is large, however large
    the FPGA is."""
    return (1.0, luts / 100_000, float(counted.sdram), float(board.speed in board.family.fast_grades))
