"""The groups of one parameter: the outgoing weights of each left neuron, as the columns of a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn


class Arrangement(Protocol):
    """How entries of a parameter become a matrix (members, groups)."""

    @property
    def present(self) -> Tensor | None:
        """(members, groups), false where a group has fewer members than the largest; None if all have equally many."""
        ...

    def matrix(self, values: Tensor) -> Tensor:
        """Values in the parameter's shape -> (members, groups)."""
        ...

    def entries(self, matrix: Tensor) -> Tensor:
        """(members, groups) -> values in the parameter's order, in any shape."""
        ...


@dataclass(frozen=True)
class Blocks:
    """A dense parameter, read as (blocks, right, left, inner); there is one group for every block and left neuron.

    Linear weights are (1, right, left, 1). A kernel's positions, or the columns of one flattened channel, are `inner`;
    the groups of a grouped convolution are `blocks`. Scalars, each a group of its own, are (1, 1, n, 1).
    """

    blocks: int
    right: int
    left: int
    inner: int
    present: None = None

    def matrix(self, values: Tensor) -> Tensor:
        read = values.reshape(self.blocks, self.right, self.left, self.inner)
        return read.permute(1, 3, 0, 2).reshape(self.right * self.inner, self.blocks * self.left)

    def entries(self, matrix: Tensor) -> Tensor:
        return matrix.reshape(self.right, self.inner, self.blocks, self.left).permute(2, 0, 3, 1)


class Edges:
    """The weights of a `SparseLinear`: one for every edge. Edges of one left neuron are a group.

    left : (right, in_degree), the left neuron (or channel) of every edge
    groups : left neurons (or channels)
    """

    def __init__(self, left: Tensor, groups: int) -> None:
        of_edge = left.flatten()
        counts = torch.bincount(of_edge, minlength=groups)
        by_group = torch.argsort(of_edge, stable=True)
        columns = of_edge[by_group]
        rows = torch.arange(len(columns), device=left.device) - (counts.cumsum(0) - counts)[columns]
        self._edge = torch.zeros(int(counts.max()), groups, dtype=torch.int64, device=left.device)
        self._edge[rows, columns] = by_group
        self._place = torch.empty_like(of_edge)
        self._place[by_group] = rows * groups + columns
        self.present = torch.zeros_like(self._edge, dtype=torch.bool)
        self.present[rows, columns] = True

    def matrix(self, values: Tensor) -> Tensor:
        return values.flatten()[self._edge.to(values.device)]

    def entries(self, matrix: Tensor) -> Tensor:
        return matrix.flatten()[self._place.to(matrix.device)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Groups:
    """A parameter and its groups."""

    name: str
    """As in `model.named_parameters()`."""
    parameter: nn.Parameter
    arrangement: Arrangement
    layer: str | None
    """The layer whose left neurons the groups are; None where they are scalars, such as biases."""
    mask: Tensor | None = None
    """In the parameter's shape, true where an entry exists; None if all do."""

    @cached_property
    def present(self) -> Tensor | None:
        """(members, groups), true where an entry exists; None if all do."""
        if self.mask is None:
            return self.arrangement.present
        masked = self.arrangement.matrix(self.mask)
        return masked if self.arrangement.present is None else masked & self.arrangement.present

    @cached_property
    def sizes(self) -> Tensor:
        """(groups,): |g|, the entries that exist."""
        if self.present is not None:
            return self.present.sum(0)
        members, groups = self.arrangement.matrix(self.parameter.detach()).shape
        return torch.full((groups,), members, device=self.parameter.device)

    @cached_property
    def roots(self) -> Tensor:
        """(groups,): sqrt|g|, in double precision."""
        return self.sizes.double().sqrt()

    def values(self) -> Tensor:
        """(members, groups): the parameter, 0 where no entry exists. Gradients pass."""
        matrix = self.arrangement.matrix(self.parameter)
        return matrix if self.present is None else matrix.where(self.present.to(matrix.device), 0)

    def assign(self, matrix: Tensor) -> None:
        """Set the entries that exist from (members, groups); the others keep what they hold."""
        self._set(self.arrangement.entries(matrix).reshape(self.parameter.shape), self.parameter)

    def restore(self, before: Tensor) -> None:
        """Set the entries that do not exist to what they were, given in the parameter's shape."""
        self._set(self.parameter, before)

    @torch.no_grad()
    def _set(self, existing: Tensor, others: Tensor) -> None:
        """Both in the parameter's shape."""
        mask = self.mask
        self.parameter.copy_(existing if mask is None else existing.where(mask.to(existing.device), others))
