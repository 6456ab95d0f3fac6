"""What a search found: networks of which none other is better in everything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.messages.bundle import Manifest
from presparse.messages.estimate import Estimate
from presparse.model import Model
from presparse.model_search.fitting_candidates import known
from presparse.model_search.ranking.objectives import ACCURACY, LESS, MORE, meets


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A network that was confirmed: trained anew on several parts of the samples, and measured by the test part."""

    network: Network
    model: Model
    """Of the first of these trainings."""
    accuracy: float
    """Mean over the trainings, on samples that the search never saw; 0 to 1."""
    interval: float
    """Half the width of the 95 % confidence interval of that mean, by Student's t."""
    chosen_by: float
    """What the search expected of it, and chose it by: of the samples for that, and of networks like it."""
    estimate: Estimate
    rate: int
    """k of the first learning rate, 2^-k."""
    epochs: int
    """That it was trained."""
    shipped: bool = False
    """It comes with Presparse, and stands here to compare with."""
    routed: Manifest | None = None
    """Its bundle for the board, if it was placed and routed."""

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def on_board(self) -> Manifest | Estimate:
        """How it is on the board: as it was built, else as it is estimated."""
        return self.routed or self.estimate

    @property
    def speed(self) -> float:
        """Samples per second of the core."""
        return self.on_board.samples_per_second

    @property
    def clock(self) -> str:
        """In words."""
        if self.routed is None:
            return f"{self.estimate.clock_mhz:.0f} MHz (estimated)"
        return f"{self.routed.clock_mhz:.0f} MHz (routed)"

    @property
    def figures(self) -> dict[str, float]:
        """Everything that a network can be chosen by."""
        return {ACCURACY: self.accuracy, **known(self.network, self.on_board)}

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "shipped": self.shipped,
            **self.figures,
            "accuracy_ci95": self.interval,
            "accuracy_chosen_by": self.chosen_by,
            "layers": list(self.network.layers),
            "out_degree": list(self.network.out_degree),
            "density": self.network.density,
            "lanes": list(self.on_board.lanes),
            "clock_mhz": self.on_board.clock_mhz,
            "routed": self.routed is not None,
            "cycles_per_sample": self.on_board.cycles_per_sample,
            "lr": 2.0**-self.rate,
            "epochs": self.epochs,
        }


@dataclass(frozen=True, kw_only=True)
class Found:
    """The front, and what it was found among."""

    front: Sequence[Entry]
    """The fastest last."""
    references: Sequence[Entry]
    """Networks that come with Presparse and that one of the front is better than."""
    tried: Sequence[tuple[float, float]]
    """(accuracy, speed) of every network that was trained: after its last rung, on the samples that networks are chosen
    by."""
    trials: int
    """Trainings that were made."""

    def best(self, *, weight: float | None = None, **at_least: float) -> Entry:
        """Of the front, one network.

        `best(speed=1e6)`: the most accurate that is at least so fast. `best(accuracy=0.96)`: the fastest that is at
        least so accurate. `best(lut=20_000)`, `latency`, `edges`: the most accurate that takes at most so much.
        `best(weight=0.1)`: the one with the least `cost` (Dey's f). `best()`: the most accurate.

        Raises ArgumentError if none is, with the nearest.
        """
        suiting = self.in_order(weight=weight, **at_least)
        if suiting:
            return suiting[0]
        if not self.front:
            raise ArgumentError("no network was found; search longer, or in another space")
        nearest = min(self.front, key=lambda entry: sum(_missing(entry, name, at_least[name]) for name in at_least))
        asked = ", ".join(f"{name} {value:g}" for name, value in at_least.items())
        told = ", ".join(f"{name} {nearest.figures[name]:.4g}" for name in at_least)
        raise ArgumentError(
            f"no network that was found has {asked}; the nearest is {nearest.name}, with {told}: search longer, or ask "
            "for less"
        )

    def in_order(self, *, weight: float | None = None, **at_least: float) -> list[Entry]:
        """Those of the front that `best` may take, the best first."""
        if unknown := [name for name in at_least if name not in (*MORE, *LESS)]:
            raise ArgumentError(f"networks have no {unknown[0]!r}; choose by {', '.join((*MORE, *LESS))}, or weight")
        suiting = [
            entry for entry in self.front if all(meets(entry.figures, name, at_least[name]) for name in at_least)
        ]
        if weight is not None:
            slowest = min((entry.speed for entry in self.front), default=1.0)
            return sorted(suiting, key=lambda entry: cost(entry.accuracy, entry.speed, slowest, weight))
        if "accuracy" in at_least:
            return sorted(suiting, key=lambda entry: (-entry.speed, -entry.accuracy))
        return sorted(suiting, key=lambda entry: (-entry.accuracy, -entry.speed))

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "front": [entry.as_json() for entry in self.front],
            "references": [entry.as_json() for entry in self.references],
            "networks_tried": len(self.tried),
            "trainings": self.trials,
            "tried": [list(each) for each in self.tried],
        }


def cost(accuracy: float, speed: float, slowest: float, weight: float) -> float:
    """Dey's f = f_p + w_c f_c (https://arxiv.org/abs/2004.00974): f_p is the share of wrong answers, and f_c the time
    that a sample takes, as a share of the time in the slowest network of the front. The least is best."""
    return (1 - accuracy) + weight * slowest / speed


def _missing(entry: Entry, name: str, value: float) -> float:
    """How far a figure is from what is asked: the logarithm of the ratio, at least 0."""
    if meets(entry.figures, name, value):
        return 0.0
    return abs(math.log(max(entry.figures[name], 1e-12) / value))
