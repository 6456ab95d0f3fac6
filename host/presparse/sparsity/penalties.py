"""Penalties that make weights, neurons and features exactly zero: their values, and their proximal operators."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError
from presparse.sparsity.binding import Chosen, Masks, groups_of
from presparse.sparsity.groups import Groups
from presparse.sparsity.operators import shrink_groups, soft_threshold


@dataclass(frozen=True)
class Penalty:
    """strength * ( l1 sum|w| + l2 sum w^2 + group sum_g sqrt|g| ||g||_2 ), over the entries w and groups g of a model.

    The named penalties below are its special cases; see `groups_of` for what a group is, and for |g|.

    Raises ArgumentError for a strength or weight that is negative or not finite.
    """

    strength: float
    """lambda."""
    l1: float = 0.0
    l2: float = 0.0
    group: float = 0.0

    def __post_init__(self) -> None:
        for name in ("strength", "l1", "l2", "group"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ArgumentError(f"the {name} of a penalty must be a number, at least 0, and is {value!r}")

    def on(
        self,
        model: nn.Module,
        *,
        parameters: Chosen | None = None,
        masks: Masks | None = None,
        flattened: Mapping[str, int] | None = None,
    ) -> Regularizer:
        """This penalty over a model's groups; arguments and errors as for `groups_of`."""
        groups = groups_of(model, parameters=parameters, masks=masks, flattened=flattened, entrywise=self.group == 0)
        return Regularizer(self, groups)

    def value(self, groups: Groups) -> Tensor:
        """The penalty of one parameter: a scalar, differentiable; at 0 its gradient is 0."""
        values = groups.values()
        total = values.new_zeros(())
        if self.l1:
            total = total + self.l1 * values.abs().sum()
        if self.l2:
            total = total + self.l2 * values.square().sum()
        if self.group:
            total = total + self.group * (torch.linalg.vector_norm(values, dim=0) * groups.roots.to(values)).sum()
        return self.strength * total

    @torch.no_grad()
    def prox_(self, groups: Groups, step: float | Tensor, share: float = 1.0) -> None:
        """Replace one parameter's values w by the x that minimizes sum (x - w)^2 / (2 step) + share * value(x).

        step: a learning rate, or the step size of every entry, in the parameter's shape; positive.

        The three terms are taken one after the other, which is exact for any steps: the signs and zeros of soft
        thresholding satisfy the subgradient condition of the sum, and a square only rescales values and steps.
        """
        strength = share * self.strength
        if strength == 0:
            return
        values = groups.values()
        if isinstance(step, Tensor):
            step = groups.arrangement.matrix(step)
        if self.l1:
            values = soft_threshold(values, strength * self.l1 * step)
        if self.l2:
            divisor = 1 + 2 * strength * self.l2 * step
            values, step = values / divisor, step / divisor
        if self.group:
            values = shrink_groups(values, strength * self.group * groups.roots.to(values), step)
        groups.assign(values)


class L1(Penalty):
    """strength * sum|w|: single weights become zero (Tibshirani 1996)."""

    def __init__(self, strength: float) -> None:
        super().__init__(strength, l1=1.0)


class L2(Penalty):
    """strength * sum w^2: weights become small, and none zero."""

    def __init__(self, strength: float) -> None:
        super().__init__(strength, l2=1.0)


class ElasticNet(Penalty):
    """strength * sum( l1_ratio |w| + (1 - l1_ratio) w^2 ) (Zou and Hastie 2005).

    Raises ArgumentError for an l1_ratio outside 0 to 1.
    """

    def __init__(self, strength: float, l1_ratio: float = 0.5) -> None:
        if isinstance(l1_ratio, bool) or not isinstance(l1_ratio, int | float) or not 0 <= l1_ratio <= 1:
            raise ArgumentError(f"l1_ratio must be a number from 0 to 1, and is {l1_ratio!r}")
        super().__init__(strength, l1=l1_ratio, l2=1 - l1_ratio)


class GroupLasso(Penalty):
    """strength * sum_g sqrt|g| ||g||_2: whole neurons and features become zero (Yuan and Lin 2006)."""

    def __init__(self, strength: float) -> None:
        super().__init__(strength, group=1.0)


class SparseGroupLasso(Penalty):
    """strength * ( sum_g sqrt|g| ||g||_2 + l1 sum|w| ): neurons, features and single weights become zero.

    l1 = 1 is the penalty of Scardapane et al. (2017), a scalar's being then 2 strength |w|.
    """

    def __init__(self, strength: float, l1: float = 1.0) -> None:
        super().__init__(strength, l1=l1, group=1.0)


@dataclass(frozen=True, eq=False)
class Regularizer:
    """A penalty over the groups of a model."""

    penalty: Penalty
    groups: tuple[Groups, ...]

    def value(self) -> Tensor:
        """The penalty, strength included: a scalar to add to a loss. Gradients alone make small weights, not zeros."""
        total = self.penalty.value(self.groups[0])
        for groups in self.groups[1:]:
            total = total + self.penalty.value(groups)
        return total

    def prox_(self, step: float) -> None:
        """The proximal operator of all groups, in place, after a step of gradient descent with learning rate `step`.

        `ProximalOptimizer` does this, with the right step for each parameter.
        """
        for groups in self.groups:
            self.penalty.prox_(groups, step)
