"""Quantization-aware training: every number a board's number, so that scores equal the board's, bit for bit.

Values are real numbers in float64, each a whole number of its format's LSBs, so that products and sums are exact (below
2^53 LSBs). Gradients pass rounding as if it were not there (straight-through), and saturation where the board's own
gradients do.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from presparse.contract.activation import derivative_table, sigmoid_table, table_input
from presparse.contract.formats import Format
from presparse.contract.network import Activation
from presparse.train.network import BoundedNetwork
from presparse.train.sparse_linear import edge_product


class QuantizedNetwork(BoundedNetwork):
    """A `SparseNetwork` that computes with rounded weights and activations, and learns with gradients of real ones."""

    dtype = torch.float64

    def forward(self, inputs: Tensor) -> Tensor:
        """(k, N_0) -> (k, N_L): sums of the output neurons, exact, before their activation."""
        formats = self.network.formats
        activations = encoded(inputs, formats.activation)
        sums = activations
        for junction, layer in zip(self.network.junctions, self.sparse_layers, strict=True):
            operands = operand(encoded(layer.weight, formats.weight), formats.operand)
            sums = edge_product(activations, layer.left, operands) + encoded(layer.bias, formats.weight)
            if not junction.is_output:
                activations = activate(sums, junction.activation, formats.activation)
        return sums

    @torch.no_grad()
    def scores(self, X: ArrayLike) -> NDArray[np.int64]:
        """Real features (k, features) -> (k, N_L) integers of the output format, equal to the board's."""
        output = self.network.formats.output
        real = activate(self(self.inputs(X)), self.network.activations[-1], output)
        return (real * output.one).to(torch.int64).numpy()

    def classes(self, sums: Tensor) -> Tensor:
        """(k, N_L) output sums -> (k,): the lowest class with the largest score, as the board decides."""
        return super().classes(activate(sums, self.network.activations[-1], self.network.formats.output))


def encoded(values: Tensor, target: Format) -> Tensor:
    """Round half up and saturate, as `Format.encode`; gradients pass."""
    return _StraightThrough.apply(values, target)


def operand(weights: Tensor, target: Format) -> Tensor:
    """The top bits of encoded weights, as multipliers see them (an arithmetic shift rounds down); gradients pass."""
    return _Truncated.apply(weights, target)


def activate(sums: Tensor, activation: Activation, right: Format) -> Tensor:
    """Exact sums to activations of format `right`; gradients use the board's derivatives."""
    if activation == "sigmoid":
        return _SigmoidTable.apply(sums, right)
    if activation == "relu":
        return _Relu.apply(sums, right)
    return encoded(sums, right)


def _rounded(values: Tensor, target: Format) -> Tensor:
    """Whole LSBs of `target`, half up, not saturated."""
    return torch.floor(values * target.one + 0.5)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, target: Format) -> Tensor:
        return _rounded(values, target).clamp(target.min, target.max) / target.one

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Truncated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, target: Format) -> Tensor:
        return torch.floor(weights * target.one) / target.one

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, right: Format) -> Tensor:
        codes = _rounded(sums, right).clamp(0, right.max)
        ctx.save_for_backward((codes > 0) & (codes < right.max))
        return codes / right.one

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (derivative,) = ctx.saved_tensors
        return gradients[0] * derivative, None


class _SigmoidTable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, right: Format) -> Tensor:
        index = table_input(right)
        codes = _rounded(sums, index).clamp(index.min, index.max).to(torch.int64)
        address = codes & ((1 << index.width) - 1)  # the tables are in two's-complement order
        table, derivatives = _tables(right.width, right.frac)
        ctx.save_for_backward(derivatives[address])
        return table[address]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (derivative,) = ctx.saved_tensors
        return gradients[0] * derivative, None


@cache
def _tables(width: int, frac: int) -> tuple[Tensor, Tensor]:
    """Activations and derivatives of the sigmoid table of a format, as real numbers."""
    right = Format(width=width, frac=frac)
    return torch.tensor(right.decode(sigmoid_table(right))), torch.tensor(right.decode(derivative_table(right)))
