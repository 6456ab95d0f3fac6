"""Two's-complement fixed point: number formats, and the only rounding and saturation Presparse knows.

Products and sums are exact (integers wide enough for the worst case). A value changes format once,
with `rescale` (round half up) and `saturate`; the reference and the gateware both follow this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from presparse.contract.description import Description

if TYPE_CHECKING:
    from presparse.contract.network import Junction

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

    @property
    def dtype(self) -> type[np.signedinteger]:
        """The smallest numpy type of at least 16 bits that holds the integers."""
        return integer_type(self.width)

    def encode(self, values: ArrayLike) -> NDArray[np.int64]:
        """Real values to integers of this format: round half up, then saturate."""
        scaled = np.floor(np.asarray(values, dtype=np.float64) * self.one + 0.5)
        return np.clip(scaled, self.min, self.max).astype(np.int64)

    def decode(self, integers: ArrayLike) -> NDArray[np.float64]:
        """Integers of this format to the real values they stand for."""
        return np.asarray(integers, dtype=np.float64) / self.one

    def __str__(self) -> str:
        return f"{self.width} bits ({self.frac} fraction)"


def integer_type(bits: int) -> type[np.signedinteger]:
    """The smallest numpy type of at least 16 bits that holds integers of `bits` bits, sign included, up to 32."""
    return np.int16 if bits <= 16 else np.int32


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


class Formats(Description):
    """The number formats of a network. Defaults trained well on MNIST (docs/decisions)."""

    activation: Format = Field(default=Format(width=10, frac=8), description="features and hidden activations")
    weight: Format = Field(default=Format(width=16, frac=13), description="weights and biases as stored")
    operand_bits: int = Field(default=12, ge=2, le=18, description="top bits of a weight that multipliers see")
    delta: Format = Field(default=Format(width=12, frac=11), description="deltas of hidden and output neurons")
    output: Format = Field(default=Format(width=10, frac=8), description="scores of the output layer")

    @model_validator(mode="after")
    def _operand_fits(self) -> Formats:
        if self.operand_bits > self.weight.width:
            raise ValueError(
                f"operand_bits must be at most weight.width ({self.weight.width}), and is {self.operand_bits}"
            )
        if self.operand.frac < 0:
            raise ValueError(
                f"operand_bits must keep the binary point: at least weight.width - weight.frac "
                f"({self.weight.width - self.weight.frac}), and is {self.operand_bits}"
            )
        for name in ("activation", "output"):
            if getattr(self, name).frac < 2:
                raise ValueError(f"{name}.frac must be at least 2, and is {getattr(self, name).frac}")
        return self

    @property
    def operand_shift(self) -> int:
        """Weight bits that the multipliers of FF and BP do not see (dropped by an arithmetic shift)."""
        return self.weight.width - self.operand_bits

    @property
    def operand(self) -> Format:
        """A weight as the multipliers of FF and BP see it: its top `operand_bits`."""
        return Format.model_construct(width=self.operand_bits, frac=self.weight.frac - self.operand_shift)

    def right(self, junction: Junction) -> Format:
        """Format of the junction's right activations."""
        return self.output if junction.is_output else self.activation
