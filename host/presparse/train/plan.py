"""How a training in PyTorch goes: how long, at which rates, and how much each class counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from presparse.fitting.class_weight import ClassWeight, checked_class_weight
from presparse.fitting.holding_out import Validation
from presparse.fitting.rate_schedule import epochs_for
from presparse.fitting.rates import is_auto
from presparse.fitting.selection import tenth
from presparse.validation import MOST_EPOCHS, MOST_PER_STEP, checked_count, checked_epochs, checked_lr

BATCH_SIZE = 32
LR = 0.02
"""Largest learning rate of Adam, unless told otherwise. On six data sets of 100 to 4,000 samples 0.01 and 0.03 differed
by a point at most, and 0.003 lost up to eight."""
WARM_UP = 0.05
"""Share of the steps in which a rate that nobody gave rises."""
DECAY, STRONGEST_DECAY = 3.0, 0.1
"""With such a rate, weights shrink by e^-3 in the course of the training unless they are learned anew, so that what
chance alone taught stays small: the same for few samples and for many. A short training decays less, at most 0.1 a step
(times the rate), as it must not forget what it begins with."""

LearningRate = float | Literal["auto"]
"""The first one, which falls to 0 along a cosine; 'auto': one that has proved itself, and rises first."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Checked arguments of a training, and what stands for those that the user left open."""

    epochs: int
    batch_size: int
    lr: float
    warm_up: float
    """Share of the steps in which the rate rises."""
    weight_decay: float
    """AdamW's."""
    patience: int | None
    balanced: bool
    """Every class counts alike."""
    chosen: str
    """What the user left open, in words; '' if nothing."""

    @classmethod
    def of(
        cls,
        epochs: int | None,
        batch_size: int,
        lr: LearningRate,
        patience: int | None,
        class_weight: ClassWeight,
        *,
        samples: int,
    ) -> Plan:
        """For so many samples. Raises ArgumentError for what is none of these."""
        automatic = is_auto(lr)
        length = epochs_for(samples) if epochs is None else checked_epochs(epochs)
        batch = checked_count("batch_size", batch_size, MOST_PER_STEP)
        sum_of_rates = LR / 2 * length * math.ceil(samples / batch)
        decay = min(STRONGEST_DECAY, DECAY / sum_of_rates) if automatic else 0.0
        chosen = [f"lr {LR:g} at most, weight decay {decay:.2g}"] if automatic else []
        chosen += [f"{length} epochs, {length * samples:,} samples in all"] if epochs is None else []
        return cls(
            epochs=length,
            batch_size=batch,
            lr=LR if automatic else checked_lr(lr),
            warm_up=WARM_UP if automatic else 0.0,
            weight_decay=decay,
            patience=None if patience is None else checked_count("patience", patience, MOST_EPOCHS),
            balanced=checked_class_weight(class_weight),
            chosen="; ".join(chosen),
        )

    def described(self) -> dict[str, Any]:
        """All that a training's result depends on."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "chosen"}


def held_out_by(validation: Validation, patience: int | None, samples: int) -> Validation:
    """What is held out of so many samples: a tenth where patience needs some, and its user names none."""
    return tenth(samples) if validation is None and patience is not None else validation


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """(classes,): how much a sample of each class counts so that all of these (k,) count alike: 1 on average over the
    samples, as scikit-learn has it. Classes without a sample: 0.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    return np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0.0)
