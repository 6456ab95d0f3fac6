"""Training that ends in exact zeros: an optimizer's step, then the proximal operator in the metric of that step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from presparse.errors import ArgumentError
from presparse.sparsity.penalties import Regularizer

_STEPS = "proximal_steps"


class ProximalOptimizer(Optimizer):
    """Each step is one of `optimizer` on the loss alone, followed by the proximal operator of the regularizer.

    It shares parameter groups and state with `optimizer`, and is an `Optimizer`: schedulers of the learning rate take
    it in place of `optimizer`. Parameters whose gradient is None do not move, and masked entries never do.

    Parameters
    ----------
    optimizer : SGD, Adam or AdamW
        With SGD, momentum or not, the operator's step is the learning rate. With Adam it is, entry by entry,
        lr / (sqrt(v_hat) + eps), v_hat being the bias-corrected mean of squared gradients (amsgrad: its maximum).
    regularizer : Regularizer
        What `penalty.on(model)` returns. The loss must not contain its value.
    warm_up : int
        Steps in which the penalty's strength rises linearly from 0.

    Raises ArgumentError for another optimizer, a regularizer with parameters that `optimizer` does not train, and a
    warm_up that is no whole number.
    """

    def __init__(self, optimizer: Optimizer, regularizer: Regularizer, *, warm_up: int = 0) -> None:
        if not isinstance(optimizer, SGD | Adam | AdamW):
            name = type(optimizer).__name__
            raise ArgumentError(f"the optimizer must be SGD, Adam or AdamW, whose metric is known, and is {name}")
        if not isinstance(regularizer, Regularizer):
            raise ArgumentError(f"the regularizer must be what penalty.on(model) returns, and is {regularizer!r}")
        if isinstance(warm_up, bool) or not isinstance(warm_up, int) or warm_up < 0:
            raise ArgumentError(f"warm_up must be a whole number of steps, at least 0, and is {warm_up!r}")
        trained = {parameter for group in optimizer.param_groups for parameter in group["params"]}
        missing = [groups.name for groups in regularizer.groups if groups.parameter not in trained]
        if missing:
            raise ArgumentError(
                f"the optimizer does not train {', '.join(missing)}: give it these, or leave them out of the penalty"
            )
        super().__init__(optimizer.param_groups, optimizer.defaults)
        self.optimizer = optimizer
        self.regularizer = regularizer
        self.warm_up = warm_up
        self.steps = 0
        """Steps taken."""
        self._groups = {groups.parameter: groups for groups in regularizer.groups}
        self._share_state()
        optimizer.register_load_state_dict_post_hook(lambda _: self._share_state())  # loading makes new ones

    @property
    def share(self) -> float:
        """The share of the penalty's strength in the next step, 0 to 1."""
        return min(1.0, self.steps / self.warm_up) if self.warm_up else 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step. The closure, if any, evaluates the loss anew; its value is returned."""
        masked = {groups: groups.parameter.clone() for groups in self.regularizer.groups if groups.mask is not None}
        loss = self.optimizer.step(closure)
        for groups, before in masked.items():
            groups.restore(before)
        for group in self.param_groups:
            for parameter in group["params"]:
                groups = self._groups.get(parameter)
                if groups and parameter.grad is not None and group["lr"] != 0:
                    self.regularizer.penalty.prox_(groups, self._step_size(group, parameter), self.share)
        self.steps += 1
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's, and the number of steps, on which the warm-up depends."""
        return {**super().state_dict(), _STEPS: self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a `state_dict`. Raises ArgumentError for that of another kind of optimizer."""
        if _STEPS not in state_dict:
            raise ArgumentError(
                f"not the state of a ProximalOptimizer, for it lacks {_STEPS}: "
                "load it into the optimizer itself, before that goes into a ProximalOptimizer"
            )
        self.optimizer.load_state_dict(state_dict)
        self.steps = int(state_dict[_STEPS])

    def _share_state(self) -> None:
        self.param_groups, self.state = self.optimizer.param_groups, self.optimizer.state

    def _step_size(self, group: dict[str, Any], parameter: nn.Parameter) -> float | Tensor:
        """The optimizer's learning rate over its metric: a number, or a tensor in the parameter's shape."""
        rate = float(group["lr"])
        if isinstance(self.optimizer, SGD):
            return rate
        state = self.state[parameter]
        squares: Tensor = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
        correction = 1 - float(group["betas"][1]) ** float(state["step"])
        roots = squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt_()  # many are 0, where sqrt is 7 times slower
        return roots.mul_(correction**-0.5 / rate).add_(group["eps"] / rate).reciprocal_()
