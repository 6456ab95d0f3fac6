"""What a multiplier made of carry chains takes (`multipliers.carry_multiplier`). Imports no Amaranth."""

from __future__ import annotations

from presparse.contract.schedule import MULTIPLY, tree_levels

MAX_ROWS = 2**MULTIPLY
"""Rows of partial products that can be added in time."""


def carry_multiplier_cost(a: int, b: int) -> tuple[float, float]:
    """(LUTs, registers) for operands of `a` and `b` bits: rows, then a tree that adds them."""
    wide, narrow = max(a, b), min(a, b)
    level = [wide + 2] * ((narrow + 1) // 2)
    luts, registers = float(sum(width + width % 2 for width in level) + 2), 0.0
    shift, levels = 2, tree_levels(len(level))
    spare = MULTIPLY - levels
    if spare:
        registers += sum(level)
    for _ in range(levels):
        merged = [max(low - shift, high) + 1 for low, high in zip(level[::2], level[1::2], strict=False)]
        luts += sum(width + width % 2 for width in merged)
        level = [shift + width for width in merged] + level[2 * len(merged) :]
        level = [min(width, a + b) for width in level]
        registers += sum(level)
        shift *= 2
    return luts, registers + (a + b) * max(0, spare - 1)
