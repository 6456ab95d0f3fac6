"""Where a training stands between two steps: all that the rest of it depends on, as arrays and plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from presparse.fitting.checkpoint import Checkpoint, Kept
from presparse.history import Epoch


class Tally(NamedTuple):
    """An epoch until now."""

    samples: int = 0
    loss: float = 0.0
    """Summed."""
    right: float = 0.0
    """What the samples that were right count."""
    counts: float = 0.0
    """What all count."""
    seconds: float = 0.0
    lr: float | None = None
    """When the epoch began; None: it begins now."""


@dataclass(kw_only=True)
class Position:
    """The next step of a training."""

    order: Tensor
    """State of the generator of random orders, when the epoch began."""
    epoch: int = 1
    batches: int = 0
    """Of the epoch, learned."""
    tally: Tally = field(default_factory=Tally)
    kept: dict[str, Tensor] | None = None
    """The best epoch's network."""
    best: float = -1.0
    """What that one reached."""
    best_loss: float = 0.0
    best_epoch: int = 0
    """Its number."""
    gained: int = 0
    """Number of the first epoch that reached as much."""


def write(
    checkpoint: Checkpoint,
    position: Position,
    network: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler,
    epochs: list[Epoch],
) -> None:
    """Keep a position, and what network, optimizer and schedule are there; `epochs` are those before it."""
    tensors = {"order": position.order}
    tensors |= {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"kept.{name}": tensor for name, tensor in (position.kept or {}).items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in moments.items()}
    state = {
        "epoch": position.epoch,
        "batches": position.batches,
        "tally": position.tally,
        "best": position.best,
        "best_loss": position.best_loss,
        "best_epoch": position.best_epoch,
        "gained": position.gained,
        "lr": [group["lr"] for group in optimizer.param_groups],
        "schedule": schedule.state_dict(),
    }
    checkpoint.write({name: _array(tensor) for name, tensor in tensors.items()}, state, epochs)


def restore(kept: Kept, network: nn.Module, optimizer: Optimizer, schedule: LRScheduler) -> Position:
    """The position that was kept; network, optimizer and schedule become what they were there."""
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in kept.tensors.items()}
    network.load_state_dict(_part(tensors, "network."))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, "optimizer.").items():
        number, _, moment = name.partition(".")
        moments.setdefault(int(number), {})[moment] = tensor
    state = kept.state
    for group, lr in zip(optimizer.param_groups, state["lr"], strict=True):
        group["lr"] = lr
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    schedule.load_state_dict(state["schedule"])
    return Position(
        order=tensors["order"],
        epoch=state["epoch"],
        batches=state["batches"],
        tally=Tally(*state["tally"]),
        kept=_part(tensors, "kept.") or None,
        best=state["best"],
        best_loss=state["best_loss"],
        best_epoch=state["best_epoch"],
        gained=state["gained"],
    )


def _array(tensor: Tensor) -> NDArray[Any]:
    """A copy in C order; 0 dimensions stay 0."""
    return np.array(tensor.detach().cpu().numpy(), order="C")


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
