"""Formats, rounding and saturation, against fxpmath and exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
from fxpmath.objects import Fxp
from hypothesis import given
from hypothesis import strategies as st

from presparse.contract.errors import NetworkError
from presparse.contract.formats import Format, rescale, saturate, signed_width

formats = st.integers(2, 18).flatmap(
    lambda width: st.builds(Format, width=st.just(width), frac=st.integers(0, min(17, width + 3)))
)
fracs = st.integers(0, 40)
values = st.integers(-(2**40), 2**40)


def fxp(real: float, fmt: Format) -> int:
    """fxpmath's code for real + half an LSB, rounded down and saturated: half up."""
    half_up = Fxp(
        real + 0.5 / fmt.one, signed=True, n_word=fmt.width, n_frac=fmt.frac, rounding="floor", overflow="saturate"
    )
    return np.asarray(half_up.val).item()


@given(formats, st.floats(-40, 40, width=32))
def test_encode_agrees_with_fxpmath(fmt: Format, real: float) -> None:
    assert fmt.encode(real) == fxp(real, fmt)


@given(formats, st.data())
def test_encode_inverts_decode(fmt: Format, data: st.DataObject) -> None:
    code = data.draw(st.integers(fmt.min, fmt.max))
    assert fmt.decode(code) == Fraction(code, fmt.one)
    assert fmt.encode(fmt.decode(code)) == code


@given(values, fracs, fracs)
def test_rescale_rounds_half_up(value: int, from_frac: int, to_frac: int) -> None:
    exact = Fraction(value) * Fraction(2) ** (to_frac - from_frac)
    assert rescale(value, from_frac, to_frac) == floor(exact + Fraction(1, 2))


@given(st.integers(-(2**30), 2**30), st.integers(0, 16), formats)
def test_rescale_and_saturate_agree_with_fxpmath(value: int, from_frac: int, fmt: Format) -> None:
    assert saturate(rescale(value, from_frac, fmt.frac), fmt) == fxp(value / 2**from_frac, fmt)


@pytest.mark.parametrize(
    ("value", "drop", "expected"),
    [(3, 1, 2), (-3, 1, -1), (1, 1, 1), (-1, 1, 0), (5, 2, 1), (6, 2, 2), (-6, 2, -1), (-7, 2, -2), (0, 5, 0)],
)
def test_rounding_by_hand(value: int, drop: int, expected: int) -> None:
    assert rescale(value, drop, 0) == expected


@given(st.lists(values, min_size=1), fracs, fracs, formats)
def test_ints_arrays_and_tensors_agree(numbers: list[int], from_frac: int, to_frac: int, fmt: Format) -> None:
    to_frac = min(to_frac, from_frac + 20)  # so that 64 bits hold the result
    expected = [saturate(rescale(n, from_frac, to_frac), fmt) for n in numbers]
    assert saturate(rescale(np.array(numbers), from_frac, to_frac), fmt).tolist() == expected
    assert saturate(rescale(torch.tensor(numbers), from_frac, to_frac), fmt).tolist() == expected


@given(values, formats)
def test_saturate_is_the_nearest_number(value: int, fmt: Format) -> None:
    nearest = min((fmt.min, fmt.max), key=lambda end: abs(end - value))
    assert saturate(value, fmt) == (value if fmt.min <= value <= fmt.max else nearest)


@given(formats)
def test_range(fmt: Format) -> None:
    assert (fmt.max, fmt.min) == (2 ** (fmt.width - 1) - 1, -(2 ** (fmt.width - 1)))
    assert fmt.decode(fmt.one) == 1
    assert str(Format(width=10, frac=8)) == "10 bits (8 fraction)"


@given(values, values)
def test_signed_width_is_the_smallest(one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    width = signed_width(low, high)
    assert -(1 << (width - 1)) <= low
    assert high < 1 << (width - 1)
    if width > 1:
        assert low < -(1 << (width - 2)) or high >= 1 << (width - 2)


@pytest.mark.parametrize(
    ("width", "frac", "message"),
    [
        (1, 0, "width: Input should be greater than or equal to 2 (got 1)"),
        (19, 0, "width: Input should be less than or equal to 18 (got 19)"),
        (8, -1, "frac: Input should be greater than or equal to 0 (got -1)"),
        (18, 18, "frac: Input should be less than or equal to 17 (got 18)"),
        (4, 8, "frac must be at most width + 3, and 8 is not with width 4"),
    ],
)
def test_formats_that_are_none(width: int, frac: int, message: str) -> None:
    with pytest.raises(NetworkError) as error:
        Format(width=width, frac=frac)
    assert str(error.value) == message
