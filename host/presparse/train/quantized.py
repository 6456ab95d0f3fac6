"""Quantization-aware training: every number a board's number, so that scores equal the board's, bit for bit.

Values are real numbers, each a whole number of its format's LSBs, so that products and sums are exact: in float32 if no
sum can exceed 2^24 LSBs, which is nearly always and twice as fast, else in float64 (2^53). Weights are learned in
float64. Gradients pass rounding as if it were not there (straight-through), and saturation where the board's own
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
from presparse.contract.formats import Format, Formats
from presparse.contract.network import Activation
from presparse.train.network import BoundedNetwork
from presparse.train.sparse_linear import edge_product

_EXACT = 1 << 24
"""Whole numbers up to here are exact in float32, and so is every sum whose parts together are no larger."""

_ENCODED_AT_ONCE = 4096
"""Samples; more would take memory several times over."""


class QuantizedNetwork(BoundedNetwork):
    """A `SparseNetwork` that computes with rounded weights and activations, and learns with gradients of real ones."""

    dtype = torch.float64

    def forward(self, inputs: Tensor) -> Tensor:
        """(k, N_0), encoded, as `inputs` gives them, -> (k, N_L): sums of the output neurons, exact, before their
        activation."""
        formats = self.network.formats
        activations = sums = inputs
        for junction, layer in zip(self.network.junctions, self.sparse_layers, strict=True):
            operands = operand(layer.weight, formats)
            biases = encoded(layer.bias, formats.weight)
            dtype = exact_type(operands, biases, formats)
            sums = edge_product(activations.to(dtype), layer.left, operands.to(dtype)) + biases.to(dtype)
            if not junction.is_output:
                activations = activate(sums, junction.activation, formats.activation)
        return sums

    def inputs_checked(self, values: NDArray[np.float64]) -> Tensor:
        """Encoded: float32 holds every activation format."""
        inputs = torch.empty(len(values), self.network.layers[0], dtype=torch.float32)
        for first in range(0, len(values), _ENCODED_AT_ONCE):
            part = slice(first, first + _ENCODED_AT_ONCE)
            inputs[part] = encoded(super().inputs_checked(values[part]), self.network.formats.activation)
        return inputs

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


def operand(weights: Tensor, formats: Formats) -> Tensor:
    """Real weights as multipliers see them: encoded, then the top bits (an arithmetic shift rounds down); gradients
    pass. In float32, which holds every weight format."""
    return _Operand.apply(weights, formats)


@torch.no_grad()
def exact_type(operands: Tensor, biases: Tensor, formats: Formats) -> torch.dtype:
    """The type in which sums of (right, in_degree) operands times any activations, plus biases, are exact."""
    largest_activation = -formats.activation.min / formats.activation.one
    largest_sum = float((operands.abs().sum(1) * largest_activation + biases.abs()).max())
    lsb = 1 / max(formats.operand.one * formats.activation.one, formats.weight.one)
    half = 0.5  # added before a sum is rounded to an activation or to the input of a sigmoid's table
    return torch.float32 if largest_sum + half <= _EXACT * lsb else torch.float64


def activate(sums: Tensor, activation: Activation, right: Format) -> Tensor:
    """Exact sums to activations of format `right`; gradients use the board's derivatives."""
    if activation == "sigmoid":
        return _SigmoidTable.apply(sums, right)
    if activation == "relu":
        return _Relu.apply(sums, right)
    return encoded(sums, right)


def _codes(values: Tensor, target: Format, least: int) -> Tensor:
    """Integers of `target`, but none below `least`: rounded half up and saturated."""
    return values.mul(target.one).add_(0.5).floor_().clamp_(least, target.max)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, target: Format) -> Tensor:
        return _codes(values, target, target.min).mul_(1 / target.one)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Operand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, formats: Formats) -> Tensor:
        stored, operand = formats.weight, formats.operand
        ctx.dtype = weights.dtype
        codes = _codes(weights, stored, stored.min).mul_(operand.one / stored.one).floor_()
        return codes.to(torch.float32).mul_(1 / operand.one)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].to(ctx.dtype), None


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, right: Format) -> Tensor:
        codes = _codes(sums, right, 0)
        ctx.save_for_backward((codes > 0) & (codes < right.max))
        return codes.mul_(1 / right.one)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (derivative,) = ctx.saved_tensors
        return gradients[0] * derivative, None


class _SigmoidTable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, right: Format) -> Tensor:
        index = table_input(right)
        codes = _codes(sums, index, index.min).to(torch.int64)
        address = codes & ((1 << index.width) - 1)  # the tables are in two's-complement order
        table, derivatives = _tables(right.width, right.frac, sums.dtype)
        ctx.save_for_backward(derivatives[address])
        return table[address]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (derivative,) = ctx.saved_tensors
        return gradients[0] * derivative, None


@cache
def _tables(width: int, frac: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Activations and derivatives of the sigmoid table of a format, as real numbers."""
    right = Format(width=width, frac=frac)
    table, derivatives = right.decode(sigmoid_table(right)), right.decode(derivative_table(right))
    return torch.tensor(table, dtype=dtype), torch.tensor(derivatives, dtype=dtype)
