"""Inputs that the solver chooses."""

from __future__ import annotations

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Module, ShapeLike, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In


def anything(m: Module, component: wiring.Component, *, but: tuple[Value, ...] = ()) -> None:
    """Drive every input of `component` with anything, in every cycle, except those in `but`, which the spec drives."""
    driven = {id(Value.cast(value)) for value in but}
    for _, member, value in component.signature.flatten(component):
        if member.flow is In and id(Value.cast(value)) not in driven:
            m.d.comb += Value.cast(value).eq(AnySeq(Value.cast(value).shape()))


def chosen(m: Module, shape: ShapeLike, *, name: str) -> Signal:
    """A value that the solver chooses once, for ever: what is shown for it is shown for each."""
    signal = Signal(shape, name=name)
    m.d.comb += signal.eq(AnyConst(signal.shape()))
    return signal


def any_bit(m: Module, *, name: str) -> Signal:
    """A bit that the solver chooses in every cycle."""
    signal = Signal(name=name)
    m.d.comb += signal.eq(AnySeq(1))
    return signal
