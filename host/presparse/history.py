"""What every training reports, in PyTorch and on a device: `Progress` while it goes on, a `History` in the end; and
which samples it was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from presparse.contract.description import Description
from presparse.support.digests import digest

PROGRESS_SECONDS = 0.25
"""Wanted time between two reports within an epoch."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training stands. It calls back several times per second, and at the end of every epoch."""

    epoch: int
    """1 .. epochs; 0 while a board tries learning rates, before the first."""
    epochs: int
    samples: int
    """Samples trained in this epoch."""
    of: int
    """Samples per epoch."""
    samples_per_second: float
    lr: float
    """Learning rate now; in PyTorch it falls during an epoch."""
    accuracy: float
    """Of this epoch's training samples so far, each predicted before it was learned."""
    loss: float | None = None
    """Mean over this epoch's samples so far; None on a device, which computes none."""
    validation: float | None = None
    """Accuracy on the held-out samples after this epoch; at its end only."""

    @property
    def ended(self) -> bool:
        """This is the end of the epoch."""
        return self.samples == self.of


Callback = Callable[[Progress], object]
"""Called with each report. If it returns True, the training ends there, as if `epochs` had been reached; an exception
that it raises comes out of the training, once model and board are whole."""


class StopTraining(Exception):
    """A callback wants the training to end: within Presparse only."""


def report(callback: Callback | None, progress: Progress) -> None:
    """Tell the callback, if there is one. Raises StopTraining if it says so, and whatever it raises."""
    if callback is None:
        return
    wish = callback(progress)
    if isinstance(wish, bool | np.bool_) and wish:
        raise StopTraining


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the training samples."""

    lr: float
    """Learning rate in the beginning."""
    samples: int
    """Samples trained; fewer than there are if the epoch was cut short."""
    accuracy: float
    """Of the training samples, each predicted before it was learned; 0 to 1."""
    loss: float | None = None
    """Mean over the samples, penalties left out; None on a device, which computes none."""
    validation: float | None = None
    """Accuracy on the held-out samples after the epoch; None without any."""
    seconds: float
    """Time for training, validation excluded."""


@dataclass(kw_only=True)
class History:
    """The epochs of a training, in order."""

    source: Literal["store", "link", "host"] = "host"
    """Where the training samples came from: the board's own store; over the link, again in every epoch; or they were
    trained on this computer."""
    reason: str = ""
    """Why they came from there."""
    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    """Ctrl-C ended the training early; what was trained is kept."""
    stopped: bool = False
    """A callback ended it early."""
    kept: int | None = None
    """Number, from 1, of the epoch whose weights were kept; None: those of the last."""
    chosen: str = ""
    """What was chosen where the user left it open: the learning rate, for example, and how."""
    warnings: tuple[str, ...] = ()
    """What is wrong with what was learned, and how to mend it (`presparse.fitting.diagnosis`); () if nothing is."""

    @property
    def samples(self) -> int:
        """Samples trained in all."""
        return sum(epoch.samples for epoch in self.epochs)

    @property
    def seconds(self) -> float:
        """Time for training, validation excluded."""
        return sum(epoch.seconds for epoch in self.epochs)

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(no epoch)"
        last = self.epochs[-1]
        parts = [f"{len(self.epochs)} epochs", f"{self.samples:,} samples", f"accuracy {last.accuracy:.1%}"]
        parts += [f"validation {last.validation:.1%}"] if last.validation is not None else []
        parts += [f"epoch {self.kept} kept"] if self.kept is not None else []
        parts += [word for word in ("interrupted", "stopped") if getattr(self, word)]
        return f"History({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """For notebooks: a row per epoch."""
        rows = "".join(
            f"<tr><td>{number}</td><td>{epoch.lr:g}</td><td>{epoch.samples:,}</td><td>{epoch.accuracy:.1%}</td>"
            f"<td>{'' if epoch.loss is None else f'{epoch.loss:.4g}'}</td>"
            f"<td>{'' if epoch.validation is None else f'{epoch.validation:.1%}'}</td><td>{epoch.seconds:.2f}</td></tr>"
            for number, epoch in enumerate(self.epochs, start=1)
        )
        heads = "".join(
            f"<th>{head}</th>" for head in ("epoch", "lr", "samples", "accuracy", "loss", "validation", "seconds")
        )
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


class TrainedOn(Description):
    """Which samples a training was given, so that they are known again; a model file keeps it."""

    digest: str = Field(description="SHA-256 of features and labels")
    samples: int = Field(ge=1, description="held-out ones too")
    validation: int | float | None = Field(
        description="held out: a share below 1 or a number, drawn by `presparse.fitting.holding_out`; 0: none; None: "
        "by another rule"
    )
    random_state: int = Field(ge=0, description="that drew them")

    @classmethod
    def of(
        cls, X: NDArray[np.float64], y: NDArray[np.int64], *, validation: float | None, random_state: int
    ) -> TrainedOn:
        """X (k, features) and y (k,), in their order."""
        return cls(digest=digest(X, y), samples=len(y), validation=validation, random_state=random_state)

    def matches(self, X: NDArray[np.float64], y: NDArray[np.int64]) -> bool:
        """They are the same samples, in the same order."""
        return len(y) == self.samples and digest(X, y) == self.digest
