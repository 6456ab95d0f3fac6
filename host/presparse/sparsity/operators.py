"""Proximal operators: soft thresholds of entries, and of the norms of groups.

Each returns the x that minimizes  sum_i (x_i - values_i)^2 / (2 step_i) + penalty(x).  `step` is the learning rate of
gradient descent, or, entry by entry, the step size of an optimizer with a diagonal metric D = 1 / step.
"""

from __future__ import annotations

import torch
from torch import Tensor


def soft_threshold(values: Tensor, threshold: float | Tensor) -> Tensor:
    """sign(values) max(|values| - threshold, 0): the operator of threshold / step * |x|, with exact zeros."""
    return values.abs().sub_(threshold).clamp_min_(0).copysign_(values)


def shrink_groups(values: Tensor, strengths: Tensor, step: float | Tensor) -> Tensor:
    """The operator of  sum_g strengths_g ||x_g||_2, a group being a column.

    values: (members, groups); strengths: (groups,), not negative; step: positive, one number or (members, groups).

    With one step the norm of a group falls by step * strength, or to 0 (Yuan and Lin 2006). With a step for every
    entry, x_i = r values_i / (r + step_i strength), where r = ||x_g|| solves the equation of `_norms_after`.
    """
    cuts = step * strengths
    if len(values) == 1:
        return soft_threshold(values, cuts)
    if isinstance(step, float):
        norms = values.square().sum(0).sqrt_()
        return values * torch.where(norms <= cuts, 0, 1 - cuts / norms)
    norms = _norms_after(values, cuts)
    return torch.div(norms, cuts.add_(norms), out=cuts).mul_(values)


def _norms_after(values: Tensor, cuts: Tensor) -> Tensor:
    """(groups,): the r >= 0 with sum_i values_i^2 / (r + cuts_i)^2 = 1, or 0 where the sum is below 1 already at r = 0.

    This is the secular equation of trust-region methods (Conn, Gould and Toint 2000, section 7.3): with s(r) the sum,
    1 / sqrt(s) is increasing and concave, so Newton's steps on it rise to the root from below and never pass it. A step
    that rises by a share d of r leaves an error below 1.5 d^2 r, since r |h''| <= 3 h' for h = 1 / sqrt(s); so the root
    is as precise as the values are. Groups that have arrived are left out.
    """
    enough = 1 + 0.1 * torch.finfo(values.dtype).eps ** 0.5
    squares = values.square()
    norms = squares.sum(0)
    rising = norms.nonzero()[:, 0]  # groups whose r is above `norms`, as far as is known
    if len(rising) < len(norms):
        squares, cuts = squares.index_select(1, rising), cuts.index_select(1, rising)
    total = norms[rising]
    norms[rising] = _start(squares, cuts, total)
    while len(rising):
        before = norms[rising]
        inverse = (before + cuts).reciprocal_()
        terms = (squares * inverse).mul_(inverse)
        total = terms.sum(0)
        after = before + total * (total.sqrt() - 1) / terms.mul_(inverse).sum(0)
        norms[rising] = torch.fmax(after, before)  # a group that is to become 0 stays there
        on = (after > before * enough).nonzero()[:, 0]
        rising, squares, cuts = rising[on], squares.index_select(1, on), cuts.index_select(1, on)
    return norms


def _start(squares: Tensor, cuts: Tensor, total: Tensor) -> Tensor:
    """(groups,): norms from which Newton's steps rise: the step from r = infinity, or 0.

    Near 0 it is the root for one entry alone, if that is larger: then no term of the sum is above 1, whatever the
    range of cuts. total: (groups,), the sums of squares.
    """
    norms = total.sqrt()
    start = norms - (squares * cuts).sum(0).div_(total)
    low = (start >= 0.01 * norms).logical_not_().nonzero()[:, 0]
    alone = squares.index_select(1, low).sqrt_().sub_(cuts.index_select(1, low)).amax(0).clamp_min_(0)
    start[low] = torch.maximum(start[low], alone)
    return start
