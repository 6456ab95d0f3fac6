"""A linear layer that has edges, and no weights elsewhere."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

_GATHER_BELOW = 1 / 64
"""Density below which gathering the edges' inputs is faster than a product with scattered weights (measured)."""


class SparseLinear(nn.Module):
    """Right neuron r is the sum over its edges k of weight[r, k] * x[left[r, k]], plus bias[r].

    Parameters
    ----------
    left_features : int
        Left neurons, p.
    left : (right, in_degree) integers
        The left neuron of every edge, each at most once per right neuron.

    Members
    -------
    weight : (right, in_degree), one per edge
    bias : (right,)
    """

    left: Tensor
    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, left_features: int, left: ArrayLike, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        indices = torch.tensor(left, dtype=torch.int64)
        self.left_features = left_features
        self.register_buffer("left", indices)
        self.weight = nn.Parameter(torch.zeros(indices.shape, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(len(indices), dtype=dtype))

    @property
    def density(self) -> float:
        return self.left.shape[1] / self.left_features

    def forward(self, x: Tensor) -> Tensor:
        """(k, left) -> (k, right)."""
        return edge_product(x, self.left, self.weight) + self.bias

    def extra_repr(self) -> str:
        right, in_degree = self.left.shape
        return f"{self.left_features} -> {right}, in_degree={in_degree}, density={self.density:.3g}"


def edge_product(x: Tensor, left: Tensor, weight: Tensor) -> Tensor:
    """(k, left), (right, in_degree), (right, in_degree) -> (k, right): every edge's product, summed per right neuron.

    Gradients reach `x` and the edges, and exist nowhere else. Scattering the edges into a matrix for the
    time of one product is several times faster than gathering inputs, unless edges are very few.
    """
    right, in_degree = left.shape
    if in_degree < _GATHER_BELOW * x.shape[1]:
        inputs = x.index_select(1, left.reshape(-1)).view(-1, right, in_degree)
        return (inputs * weight).sum(-1)
    return x @ weight.new_zeros(right, x.shape[1]).scatter(1, left, weight).T
