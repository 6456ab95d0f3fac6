"""Two's-complement fixed point: formats, and the only rounding and saturation Presparse knows.

Products and sums are exact (integers wide enough for the worst case). A value changes format once,
with `rescale` (round half up) and `saturate`; the reference and the gateware both follow this file.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from presparse.contract.description import Description

Integers: TypeAlias = Any
"""An int, an integer numpy array or an integer torch tensor: all three shift, add and clip alike."""


class Format(Description):
    """A signed fixed-point format: `width` bits in all, `frac` of them behind the binary point."""

    width: int = Field(ge=2, le=18, description="bits, sign included; 18 is what one multiplier takes")
    frac: int = Field(ge=0, le=17, description="fraction bits")

    @model_validator(mode="after")
    def _fraction_fits(self) -> Format:
        if self.frac >= self.width + 4:
            raise ValueError(f"frac must be at most width + 3, and {self.frac} is not with width {self.width}")
        return self

    @property
    def min(self) -> int:
        return -(1 << (self.width - 1))

    @property
    def max(self) -> int:
        return (1 << (self.width - 1)) - 1

    @property
    def one(self) -> int:
        """The integer that stands for 1.0 (it may lie outside the format)."""
        return 1 << self.frac

    def encode(self, values: ArrayLike) -> NDArray[np.int64]:
        """Real values to integers of this format: round half up, then saturate."""
        scaled = np.floor(np.asarray(values, dtype=np.float64) * self.one + 0.5)
        return np.clip(scaled, self.min, self.max).astype(np.int64)

    def decode(self, integers: ArrayLike) -> NDArray[np.float64]:
        """Integers of this format to the real values they stand for."""
        return np.asarray(integers, dtype=np.float64) / self.one

    def __str__(self) -> str:
        return f"{self.width} bits ({self.frac} fraction)"


def rescale(value: Integers, from_frac: int, to_frac: int) -> Integers:
    """Move the binary point. Dropped bits round half up: add half an LSB, then shift arithmetically."""
    drop = from_frac - to_frac
    if drop <= 0:
        return value << -drop
    return (value + (1 << (drop - 1))) >> drop


def saturate(value: Integers, target: Format) -> Integers:
    """Clamp to the range of `target`. Works on ints, numpy arrays and torch tensors."""
    if isinstance(value, int):
        return max(target.min, min(target.max, value))
    return value.clip(target.min, target.max)


def signed_width(low: int, high: int) -> int:
    """Bits of the smallest two's-complement integer that holds `low` .. `high`."""
    return max((~low if low < 0 else low).bit_length(), (~high if high < 0 else high).bit_length()) + 1
