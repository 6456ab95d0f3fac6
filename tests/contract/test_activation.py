"""Sigmoid tables against exact arithmetic, and the widths that the gateware stores."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest

from presparse.contract.activation import (
    derivative_frac,
    derivative_table,
    derivative_width,
    sigmoid_table,
    table_input,
)
from presparse.contract.formats import Format

getcontext().prec = 40
FORMATS = [Format(width=width, frac=frac) for width, frac in ((4, 2), (6, 3), (10, 8), (8, 8), (12, 8), (12, 11))]


def exact_sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


@pytest.mark.parametrize("right", FORMATS)
def test_tables_against_forty_digits(right: Format) -> None:
    """Every entry is the exact value rounded half up, and saturated."""
    inputs = table_input(right)
    assert (inputs.decode(inputs.min), inputs.max + 1) == (-8, 8 * inputs.one)
    values, derivatives = sigmoid_table(right), derivative_table(right)
    assert len(values) == len(derivatives) == 1 << inputs.width
    half = Decimal("0.5")
    for code in range(inputs.min, inputs.max + 1):
        s = exact_sigmoid(Decimal(code) / inputs.one)
        entry = code % len(values)  # two's complement
        assert values[entry] == min(right.max, int((s * right.one + half).to_integral_value("ROUND_FLOOR")))
        assert derivatives[entry] == int((s * (1 - s) * right.one + half).to_integral_value("ROUND_FLOOR"))


@pytest.mark.parametrize("right", FORMATS)
def test_derivatives_fit_their_width(right: Format) -> None:
    table = derivative_table(right)
    assert table.min() >= 0
    assert table.max() < 1 << derivative_width("sigmoid", right)
    assert table[0] == right.one // 4


def test_tables_by_hand() -> None:
    """6 bits, 3 of them fraction: inputs of 5 bits in steps of 1/2."""
    right = Format(width=6, frac=3)
    assert table_input(right) == Format(width=5, frac=1)
    assert sigmoid_table(right)[:5].tolist() == [4, 5, 6, 7, 7]  # 0, 0.5, 1, 1.5, 2: 8 times .5 .62 .73 .82 .88
    assert sigmoid_table(right)[-4:].tolist() == [1, 1, 2, 3]  # -2, -1.5, -1, -0.5: 8 times .12 .18 .27 .38
    assert derivative_table(right)[:4].tolist() == [2, 2, 2, 1]


def test_symmetry() -> None:
    table = sigmoid_table(Format(width=10, frac=8))
    assert np.array_equal(table[1:512] + table[:512:-1], np.full(511, 256))


@pytest.mark.parametrize("kind", ["relu", "identity"])
def test_other_activations_have_one_bit(kind: str) -> None:
    right = Format(width=10, frac=8)
    assert derivative_frac(kind, right) == 0  # pyright: ignore[reportArgumentType]
    assert derivative_width(kind, right) == 1  # pyright: ignore[reportArgumentType]
