"""How a training in PyTorch goes: how long, at which rates, and how much each class counts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from presparse.fitting.class_weight import ClassWeight, checked_class_weight
from presparse.fitting.holding_out import Validation
from presparse.fitting.rate_schedule import epochs_for
from presparse.fitting.selection import tenth
from presparse.validation import MOST_EPOCHS, MOST_PER_STEP, checked_count, checked_epochs, checked_lr

BATCH_SIZE = 32
LR = 0.02
"""Largest learning rate of Adam, unless told otherwise: ..."""
WARM_UP = 0.05
"""Share of the steps in which a rate that nobody gave rises."""

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
        automatic = isinstance(lr, str) and lr == "auto"
        length = epochs_for(samples) if epochs is None else checked_epochs(epochs)
        chosen = [f"lr {LR:g}, after a rise over {WARM_UP:.0%} of the training"] if automatic else []
        chosen += [f"{length} epochs, {length * samples:,} samples in all"] if epochs is None else []
        return cls(
            epochs=length,
            batch_size=checked_count("batch_size", batch_size, MOST_PER_STEP),
            lr=LR if automatic else checked_lr(lr),
            warm_up=WARM_UP if automatic else 0.0,
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
