"""Training that ends in exact zeros: an optimiser's step, then the proximal operator in the metric of that step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from presparse.errors import ArgumentError
from presparse.sparsity.penalties import Regulariser

_STEPS = "proximal_steps"


class ProximalOptimizer(Optimizer):
    """Each step is one of `optimiser` on the loss alone, followed by the proximal operator of the regulariser.

    It shares parameter groups and state with `optimiser`, and is an `Optimizer`: schedulers of the learning rate take
    it in place of `optimiser`. Parameters whose gradient is None do not move, and masked entries never do.

    Parameters
    ----------
    optimiser : SGD, Adam or AdamW
        With SGD, momentum or not, the operator's step is the learning rate. With Adam it is, entry by entry,
        lr / (sqrt(v_hat) + eps), v_hat being the bias-corrected mean of squared gradients (amsgrad: its maximum).
    regulariser : Regulariser
        What `penalty.on(model)` returns. The loss must not contain its value.
    warm_up : int
        Steps in which the penalty's strength rises linearly from 0.

    Raises ArgumentError for another optimiser, a regulariser with parameters that `optimiser` does not train, and a
    warm_up that is no whole number.
    """

    def __init__(self, optimiser: Optimizer, regulariser: Regulariser, *, warm_up: int = 0) -> None:
        if not isinstance(optimiser, SGD | Adam | AdamW):
            name = type(optimiser).__name__
            raise ArgumentError(f"the optimiser must be SGD, Adam or AdamW, whose metric is known, and is {name}")
        if not isinstance(regulariser, Regulariser):
            raise ArgumentError(f"the regulariser must be what penalty.on(model) returns, and is {regulariser!r}")
        if isinstance(warm_up, bool) or not isinstance(warm_up, int) or warm_up < 0:
            raise ArgumentError(f"warm_up must be a whole number of steps, at least 0, and is {warm_up!r}")
        trained = {parameter for group in optimiser.param_groups for parameter in group["params"]}
        missing = [groups.name for groups in regulariser.groups if groups.parameter not in trained]
        if missing:
            raise ArgumentError(
                f"the optimiser does not train {', '.join(missing)}: give it these, or leave them out of the penalty"
            )
        super().__init__(optimiser.param_groups, optimiser.defaults)
        self.optimiser = optimiser
        self.regulariser = regulariser
        self.warm_up = warm_up
        self.steps = 0
        """Steps taken."""
        self._groups = {groups.parameter: groups for groups in regulariser.groups}
        self._share_state()

    @property
    def share(self) -> float:
        """The share of the penalty's strength in the next step, 0 to 1."""
        return min(1.0, self.steps / self.warm_up) if self.warm_up else 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step. The closure, if any, evaluates the loss anew; its value is returned."""
        masked = {groups: groups.parameter.clone() for groups in self.regulariser.groups if groups.mask is not None}
        loss = self.optimiser.step(closure)
        for groups, before in masked.items():
            groups.restore(before)
        for group in self.param_groups:
            for parameter in group["params"]:
                groups = self._groups.get(parameter)
                if groups and parameter.grad is not None and group["lr"] != 0:
                    self.regulariser.penalty.prox_(groups, self._step_size(group, parameter), self.share)
        self.steps += 1
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's, and the number of steps, on which the warm-up depends."""
        return {**super().state_dict(), _STEPS: self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a `state_dict`. Raises ArgumentError for that of another kind of optimiser."""
        if _STEPS not in state_dict:
            raise ArgumentError(
                f"not the state of a ProximalOptimizer, for it lacks {_STEPS}: "
                "load it into the optimiser itself, before that goes into a ProximalOptimizer"
            )
        self.optimiser.load_state_dict(state_dict)
        self._share_state()
        self.steps = int(state_dict[_STEPS])

    def _share_state(self) -> None:
        self.param_groups, self.state = self.optimiser.param_groups, self.optimiser.state

    def _step_size(self, group: dict[str, Any], parameter: nn.Parameter) -> float | Tensor:
        """The optimiser's learning rate over its metric: a number, or a tensor in the parameter's shape."""
        rate = float(group["lr"])
        if isinstance(self.optimiser, SGD):
            return rate
        state = self.state[parameter]
        squares: Tensor = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
        correction = 1 - float(group["betas"][1]) ** float(state["step"])
        roots = squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt_()  # many are 0, where sqrt is 7 times slower
        return roots.mul_(correction**-0.5 / rate).add_(group["eps"] / rate).reciprocal_()
