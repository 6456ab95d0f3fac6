"""The one multiplier of Presparse: signed, exact, pipelined."""

from __future__ import annotations

import itertools
from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.schedule import MULTIPLY


class Multiplier(wiring.Component):
    """An exact signed product, `MULTIPLY` cycles after its operands, one per cycle.

    A platform that has a better way to make one offers `get_multiplier(multiplier)`, which returns what is
    elaborated instead, with the same latency, or None.

    Parameters
    ----------
    a_width, b_width : int
        Operand widths in bits.

    Members
    -------
    a, b : In(signed)
    product : Out(signed(a_width + b_width)) of the operands `MULTIPLY` cycles before
    """

    a: Signal
    b: Signal
    product: Signal

    def __init__(self, a_width: int, b_width: int) -> None:
        super().__init__(
            {"a": In(signed(a_width)), "b": In(signed(b_width)), "product": Out(signed(a_width + b_width))}
        )

    @property
    def widths(self) -> tuple[int, int]:
        """Of the operands, in bits: multipliers of equal widths are interchangeable."""
        return len(self.a), len(self.b)

    def elaborate(self, platform: Any) -> Module | Elaboratable:
        if hasattr(platform, "get_multiplier"):
            replacement = platform.get_multiplier(self)
            if replacement is not None:
                return replacement
        m = Module()
        a = Signal.like(self.a, reset_less=True)
        b = Signal.like(self.b, reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b)]
        stages = [Signal.like(self.product, name=f"stage{i}", reset_less=True) for i in range(MULTIPLY - 1)]
        m.d.sync += stages[0].eq(a * b)
        m.d.sync += [later.eq(earlier) for earlier, later in itertools.pairwise(stages)]
        m.d.comb += self.product.eq(stages[-1])
        return m
