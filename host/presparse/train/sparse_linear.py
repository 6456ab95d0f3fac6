"""A linear layer that has edges, and no weights elsewhere."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_GATHERED = 1 / 4
"""Samples times density up to which gathering the edges' inputs is fastest."""
_COMPRESSED = 1 / 8
"""Density up to which products with a compressed matrix are fastest, if the layer is large."""
_LARGE = 1 << 18
"""Places of a large matrix. These three were measured on one thread of an x86 CPU."""


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

    Gradients reach `x` and the edges, and exist nowhere else. Of three ways the fastest is taken, by density, samples
    and size: a few inputs are gathered edge by edge; a large matrix with few edges stays compressed; else the edges are
    scattered into a matrix for the time of one product. `presparse bench` compares them with a dense layer.
    """
    right, in_degree = left.shape
    density = in_degree / x.shape[1]
    if len(x) * density <= _GATHERED:
        inputs = x.index_select(1, left.reshape(-1)).view(len(x), right, in_degree)
        return (inputs * weight).sum(-1)
    known = x.device.type == "cpu" and weight.dtype in (torch.float32, torch.float64)
    if known and density <= _COMPRESSED and right * x.shape[1] >= _LARGE:
        return _Compressed.apply(x, left, weight)
    return x @ _scattered(left, weight, x.shape[1]).T


class _Compressed(torch.autograd.Function):
    """The product with a CSR matrix. PyTorch's own gradient of it is many times slower than its forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, left: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, left, weight)
        return (_csr(left, weight, x.shape[1]) @ x.T).T.contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        x, left, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = gradient @ _scattered(left, weight, x.shape[1])
        if ctx.needs_input_grad[2]:
            edges = _csr(left, torch.zeros_like(weight), x.shape[1])
            of_weight = torch.sparse.sampled_addmm(edges, gradient.T, x).values().view_as(weight)
        return of_x, None, of_weight


def _scattered(left: Tensor, weight: Tensor, neurons: int) -> Tensor:
    """(right, neurons), 0 where there is no edge."""
    return weight.new_zeros(len(weight), neurons).scatter_(1, left, weight)


def _csr(left: Tensor, weight: Tensor, neurons: int) -> Tensor:
    """The same, compressed; columns in the order of the edges."""
    _hear_of_csr()
    right, in_degree = left.shape
    rows = torch.arange(0, right * in_degree + 1, in_degree)
    return torch.sparse_csr_tensor(rows, left.reshape(-1), weight.reshape(-1), size=(right, neurons))


@cache
def _hear_of_csr() -> None:
    """PyTorch says once that its CSR tensors may change; whoever trains a layer need not know."""
    with warnings.catch_warnings(action="ignore"):
        torch.sparse_csr_tensor(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), size=(1, 1))
