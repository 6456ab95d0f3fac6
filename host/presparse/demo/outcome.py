"""What the demo found, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.history import History
from presparse.model import Model


@dataclass(frozen=True, kw_only=True)
class Split:
    """Digits to learn from, and digits that nothing is ever trained on."""

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    held_X: NDArray[np.float64]
    held_y: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class InPyTorch:
    """Held-out accuracy after every epoch in floating point, then quantized; and the integers that came out."""

    float_curve: list[float]
    quantized_curve: list[float]
    model: Model


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Held-out digits on the board."""

    checked: int
    equal: int
    """Those of which every score equals the reference's."""
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Learning:
    """A fresh network that learned on a device."""

    start: Model
    model: Model
    history: History
    counters: dict[Counter, int]
    """Of the training and the validation after each epoch."""
    answers: NDArray[np.int64]
    """Classes of the held-out digits, afterwards."""

    def accuracy(self, split: Split) -> float:
        return float(np.mean(self.answers == split.held_y))

    @property
    def cycles_per_sample(self) -> float | None:
        """Cycles that the core took per block of one sample, waiting for the link left out; None without a clock."""
        if "cycles" not in self.counters:
            return None
        waited = self.counters["stalls_sample"] + self.counters["stalls_result"]
        return (self.counters["cycles"] - waited) / self.counters["blocks"]

    @property
    def seconds(self) -> float:
        return sum(epoch.seconds for epoch in self.history.epochs)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Weights and biases on the device, against the reference's."""

    checked: int
    equal: int
    differences: list[str]
    """In words: weights, biases, counters."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything."""

    build: Build
    device: str
    split: Split
    in_pytorch: InPyTorch
    predictions: Predictions
    learning: Learning
    comparison: Comparison

    @property
    def equal(self) -> bool:
        """Not a single bit differs."""
        return self.predictions.equal == self.predictions.checked and not self.comparison.differences

    def figures(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "equal": self.equal,
            "predictions_checked": self.predictions.checked,
            "predictions_equal": self.predictions.equal,
            "weights_checked": self.comparison.checked,
            "weights_equal": self.comparison.equal,
            "differences": self.comparison.differences,
            "train_samples_from": self.learning.history.source,
            "train_samples_on_board": self.learning.history.samples,
            "train_samples_per_second": round(self.learning.history.samples / self.learning.seconds, 1),
            "cycles_per_sample": self.learning.cycles_per_sample,
            "junction_cycle": max(j.cycles for j in self.build.junctions),
            "density": self.build.network.density,
            "float_accuracy": self.in_pytorch.float_curve[-1],
            "quantized_accuracy": self.predictions.accuracy,
            "board_trained_accuracy": self.learning.accuracy(self.split),
        }
