"""What a training reports in the end: its epochs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the training samples."""

    rate: float
    samples: int
    """Samples trained; fewer than there are if the epoch was interrupted."""
    accuracy: float
    """Of the training samples, each predicted before it was learned."""
    validation: float | None
    """Accuracy on the validation samples after the epoch."""
    seconds: float
    """Time for training, validation excluded."""


@dataclass(kw_only=True)
class History:
    """The epochs of a fit, in order."""

    source: Literal["store", "link"] = "link"
    """Where the training samples came from: the board's own store, or this computer, again in every epoch."""
    reason: str = ""
    """Why they came from there."""
    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    """Ctrl-C ended the fit early; what was trained is kept."""

    @property
    def samples(self) -> int:
        """Samples trained in all."""
        return sum(epoch.samples for epoch in self.epochs)
