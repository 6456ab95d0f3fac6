"""What a search looks for: the figures that count, and the least that some of them must reach.

All but accuracy are taken as base-2 logarithms, here and nowhere else: speeds span a factor of a thousand, and twice as
fast is worth the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from presparse.contract.description import shortened
from presparse.errors import ArgumentError

if TYPE_CHECKING:
    from presparse.trials.trial import Figures

ACCURACY = "accuracy"
FITS = "fits"
"""Of figures: 0 for a network that does not fit the board, and so is none of those to choose from."""
MORE = (ACCURACY, "speed")
"""Figures of which more is better: the accuracy on held-out data, 0 to 1; samples per second."""
LESS = ("lut", "latency", "edges")
"""Figures of which less is better."""


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """Figures that count, and bounds. Raises ArgumentError for what are none, naming those there are."""

    names: Sequence[str] = MORE
    """Of `MORE` and `LESS`, each once."""
    at_least: Mapping[str, float] = field(default_factory=dict)
    """The least of accuracy and of speed, the most of the others."""

    def __post_init__(self) -> None:
        known = (*MORE, *LESS)
        if not self.names or len(set(self.names)) < len(self.names) or not set(self.names) <= set(known):
            raise ArgumentError(
                f"objectives must be some of {', '.join(known)}, each once, and are {shortened(list(self.names))}"
            )
        for name, bound in self.at_least.items():
            if name not in known:
                raise ArgumentError(f"at_least bounds {', '.join(known)}, and {shortened(name)} is none of these")
            if not 0 < bound < math.inf or (name == ACCURACY and bound > 1):
                what = "more than 0 and at most 1 (0.96 is 96 %)" if name == ACCURACY else "more than 0"
                raise ArgumentError(f"at_least {name} must be {what}, and is {bound}")

    def point(self, figures: Figures) -> tuple[float, ...]:
        """What counts of a network's figures, each to be maximized."""
        return tuple(_counted(figures, name) for name in self.names)

    def likeness(self, figures: Figures) -> tuple[float, ...]:
        """What counts besides the accuracy."""
        return tuple(_counted(figures, name) for name in self.names if name != ACCURACY)

    def possible(self, figures: Figures) -> bool:
        """Nothing that training does not change speaks against the network: it fits, and no figure that is known
        misses its bound. Accuracies are left out."""
        bounds = ((name, bound) for name, bound in self.at_least.items() if name != ACCURACY and name in figures)
        return bool(figures.get(FITS, 1)) and all(meets(figures, name, bound) for name, bound in bounds)

    def short_of(self, accuracy: float) -> float:
        """By how much an accuracy misses its bound; 0 if it does not, or has none."""
        return max(0.0, self.at_least.get(ACCURACY, 0.0) - accuracy)


def _counted(figures: Figures, name: str) -> float:
    return figures[name] if name == ACCURACY else math.log2(figures[name]) * (1 if name in MORE else -1)


def meets(figures: Figures, name: str, bound: float) -> bool:
    """A figure is at least its bound, or at most, where less is better."""
    return figures[name] <= bound if name in LESS else figures[name] >= bound
