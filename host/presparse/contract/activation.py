"""Activations in fixed point: from the exact sum of a right neuron to its activation and derivative.

- ReLU: round and saturate to the right layer's format, negative values become 0; derivative 1 strictly
  inside the range (0 < a < max), else 0.
- identity: round and saturate; derivative 1.
- sigmoid: round and saturate to the table's input format (-8 <= x < 8), then read the table; the
  derivative comes from a second table with the same index.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.contract.formats import Format
from presparse.contract.network import Activation


def table_input(right: Format) -> Format:
    """Input format of a sigmoid table: range -8 .. 8, steps of 4 output LSBs (the slope is at most 1/4)."""
    return Format(width=right.frac + 2, frac=right.frac - 2)


def sigmoid_table(right: Format) -> NDArray[np.int64]:
    """Activations for table inputs in two's-complement order (index 0 is input 0), format `right`."""
    return right.encode(_sigmoid(right))


def derivative_table(right: Format) -> NDArray[np.int64]:
    """s (1 - s) for the same indices, unsigned with `right.frac` fraction bits."""
    s = _sigmoid(right)
    return np.floor(s * (1 - s) * right.one + 0.5).astype(np.int64)


def derivative_frac(activation: Activation, right: Format) -> int:
    """Fraction bits of a derivative: ReLU's and identity's are 0 or 1."""
    return right.frac if activation == "sigmoid" else 0


def derivative_width(activation: Activation, right: Format) -> int:
    """Bits of a derivative, unsigned."""
    return right.frac - 1 if activation == "sigmoid" else 1


def _sigmoid(right: Format) -> NDArray[np.float64]:
    index = np.arange(1 << table_input(right).width)
    half = index.size // 2
    x = table_input(right).decode((index + half) % index.size - half)
    return 1 / (1 + np.exp(-x))
