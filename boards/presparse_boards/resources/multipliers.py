"""Allocation of DSP blocks: which multipliers get one when a board has fewer; those that would cost most in LUTs."""

from __future__ import annotations

from dataclasses import dataclass

from presparse.contract.build import Build
from presparse.contract.multipliers import multipliers
from presparse.contract.schedule import MULTIPLY

Widths = tuple[int, int]
"""Bits of both operands, in the order in which the gateware has them."""


@dataclass(frozen=True, kw_only=True)
class DspBlock:
    """A multiplier that a family of FPGAs has."""

    width: int
    """Bits of both operands, signed."""
    registers: int
    """That it has inside: of operands, partial products, product."""


@dataclass(frozen=True, kw_only=True)
class MultiplierPlan:
    """How many multipliers of each pair of operand widths are made of DSP blocks, and how many of LUTs."""

    dsp: dict[Widths, int]
    lut: dict[Widths, int]

    @property
    def dsp_blocks(self) -> int:
        return sum(self.dsp.values())


def plan_multipliers(build: Build, *, blocks: int, block: DspBlock) -> MultiplierPlan:
    """Give the FPGA's `blocks` to the largest multipliers that fit into one."""
    counts: dict[Widths, int] = {}
    for group in multipliers(build):
        widths = (group.a_width, group.b_width)
        counts[widths] = counts.get(widths, 0) + group.count
    dsp: dict[Widths, int] = {}
    for widths in sorted(counts, key=lambda w: (w[0] * w[1], w), reverse=True):
        fits = max(widths) <= block.width
        dsp[widths] = min(counts[widths], blocks) if fits else 0
        blocks -= dsp[widths]
    return MultiplierPlan(dsp=dsp, lut={widths: counts[widths] - dsp[widths] for widths in counts})


def logic_multiplier(a: int, b: int) -> tuple[float, float]:
    """(LUTs, registers) of what synthesis makes of a product of `a` and `b` bits without a block."""
    return float(a * b), float((a + b) * MULTIPLY)
