"""Exact sums of many values, one level of registers per level of adders."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Shape, ShapeLike, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.schedule import tree_levels


class AdderTree(wiring.Component):
    """The sum of `count` values, `tree_levels(count)` cycles later, one set of values per cycle.

    Parameters
    ----------
    shape : Shape
    count : int

    Members
    -------
    terms : In(shape).array(count)
    total : Out(`shape` widened by one bit per level)
    """

    terms: Sequence[Signal]
    total: Signal

    def __init__(self, shape: ShapeLike, count: int) -> None:
        self._shape = Shape.cast(shape)
        self._count = count
        total = Shape(self._shape.width + tree_levels(count), self._shape.signed)
        super().__init__({"terms": In(shape).array(count), "total": Out(total)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        level: list[Value] = list(self.terms)
        for depth in range(1, tree_levels(self._count) + 1):
            shape = Shape(self._shape.width + depth, self._shape.signed)
            sums = []
            for i in range(0, len(level), 2):
                total = Signal(shape, name=f"sum_{depth}_{i // 2}", reset_less=True)
                m.d.sync += total.eq(sum(level[i + 1 : i + 2], level[i]))
                sums.append(total)
            level = sums
        m.d.comb += self.total.eq(level[0])
        return m
