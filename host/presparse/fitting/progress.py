"""What a training reports while it goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a fit stands. `fit` calls back several times per second, and at the end of every epoch."""

    epoch: int
    """1 .. epochs."""
    epochs: int
    samples: int
    """Samples sent in this epoch."""
    of: int
    """Samples per epoch."""
    samples_per_second: float
    accuracy: float
    """Of this epoch's training samples so far, each predicted before it was learned."""
    validation: float | None = None
    """Validation accuracy after this epoch; at its end only."""
