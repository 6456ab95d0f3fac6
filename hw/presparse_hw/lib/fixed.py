"""Rounding and saturation in gateware; `presparse.contract.formats` is what these must equal."""

from __future__ import annotations

from amaranth.hdl import Const, Mux, Value

from presparse.contract.formats import Format


def rescale(value: Value, from_frac: int, to_frac: int) -> Value:
    """Move the binary point, exactly or rounding half up."""
    floor, half = rounding(value, from_frac, to_frac)
    return floor + half


def rounding(value: Value, from_frac: int, to_frac: int) -> tuple[Value, Value]:
    """`rescale` without its addition: what it adds, the floor (signed) and the bit below it, which rounds half up."""
    drop = from_frac - to_frac
    if drop <= 0:
        return value << -drop, Const(0, 1)
    return value >> drop, value[min(drop, len(value)) - 1]


def exceeds(value: Value, target: Format) -> tuple[Value, Value]:
    """(above, below): whether a signed value lies above or below the range of `target`.

    A comparison of the bits above the target's sign bit, not a subtraction.
    """
    if len(value) <= target.width:
        return Const(0, 1), Const(0, 1)
    head = value[target.width - 1 :]  # all equal when the value fits
    negative = value[-1]
    return ~negative & head.any(), negative & ~head.all()


def saturate(value: Value, target: Format) -> Value:
    """Clamp a signed value to the range of `target`."""
    above, below = exceeds(value, target)
    clamped = Mux(above, target.max, Mux(below, target.min, value[: target.width].as_signed()))
    return clamped[: target.width].as_signed()
