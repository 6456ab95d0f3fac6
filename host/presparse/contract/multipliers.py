"""Every multiplier of a build: how many, how wide, what for. What a board must offer, or build from LUTs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from presparse.contract.activation import derivative_width
from presparse.contract.build import Build

Purpose = Literal["FF", "BP", "UP", "derivative"]


@dataclass(frozen=True, kw_only=True)
class MultiplierGroup:
    """Equal multipliers of one junction."""

    junction: int
    """Counted from 1."""
    purpose: Purpose
    count: int
    a_width: int
    b_width: int
    """Bits of the signed operands."""

    @property
    def area(self) -> int:
        """Bits of one partial-product array: what one costs in LUTs, in proportion."""
        return self.a_width * self.b_width


def multipliers(build: Build) -> tuple[MultiplierGroup, ...]:
    """All multipliers of a build, in order of junctions: three per lane in a training build (junction 1 has no
    BP), one in an inference build, and one per right neuron of a cycle for the derivative of a sigmoid."""
    f = build.network.formats
    scaled = f.delta.width + build.network.rates.span
    groups = []
    for number, j in enumerate(build.junctions, start=1):
        wanted: list[tuple[Purpose, int, int, int]] = [("FF", j.lanes, f.operand.width, f.activation.width)]
        if build.training:
            wanted.append(("UP", j.lanes, scaled, f.activation.width))
            if number > 1:
                wanted.append(("BP", j.lanes, f.operand.width, f.delta.width))
            if not j.is_output and j.activation == "sigmoid":
                sums = build.network.delta_sum_width(build.junctions[number])
                wanted.append(("derivative", j.group, sums, derivative_width(j.activation, f.activation) + 1))
        groups += [
            MultiplierGroup(junction=number, purpose=purpose, count=count, a_width=a, b_width=b)
            for purpose, count, a, b in wanted
        ]
    return tuple(groups)
