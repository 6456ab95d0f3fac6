"""Shapes of images as people type them."""

from __future__ import annotations

from presparse.errors import ArgumentError
from presparse.features.convolution import checked_image

_LONGEST_NUMBER = 8
"""Digits."""


def image_shape(option: str, text: str) -> tuple[int, int, int]:
    """Rows, columns and channels of 28x28 or 32x32x3. Raises ArgumentError, naming the option."""
    numbers = text.lower().split("x")
    if len(numbers) not in (2, 3) or not all(n.isdecimal() and len(n) < _LONGEST_NUMBER for n in numbers):
        raise ArgumentError(f"{option} must be the shape of an image, such as 28x28 or 32x32x3, and is {text!r}")
    return checked_image([int(number) for number in numbers])
