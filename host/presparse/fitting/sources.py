"""Where the samples of a fit come from: this computer, epoch after epoch, or the board's store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from presparse.contract.permutation import permutation
from presparse.errors import ArgumentError
from presparse.fitting.feeding import Encoded, Feeding, Labels
from presparse.fitting.meter import Meter

Validation = tuple[ArrayLike, ArrayLike] | float | None
"""(X, y); or how many of the last samples are held out, or which share of them."""


class Source(Protocol):
    """Samples to learn from, and held-out ones."""

    @property
    def name(self) -> Literal["store", "link"]: ...

    @property
    def reason(self) -> str:
        """Why they come from there."""
        ...

    @property
    def size(self) -> int:
        """Samples to learn from."""
        ...

    def train(self, exponent: int, seed: int | None, meter: Meter) -> None:
        """One pass, permuted by `seed` unless it is None."""
        ...

    def evaluate(self) -> float | None:
        """Accuracy on the held-out samples; None without any."""
        ...


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Held-out samples that stay on this computer."""

    feeding: Feeding
    features: Encoded
    labels: Labels

    def evaluate(self) -> float:
        return self.feeding.evaluate(self.features, self.labels)


@dataclass(frozen=True, kw_only=True)
class StoredPart:
    """Held-out samples in the store."""

    feeding: Feeding
    first: int
    count: int

    def evaluate(self) -> float:
        return self.feeding.evaluate_stored(self.first, self.count)


@dataclass(frozen=True, kw_only=True)
class FromLink:
    """Every sample crosses the link in every epoch."""

    feeding: Feeding
    features: Encoded
    labels: Labels
    held_out: HeldOut | None
    reason: str
    name: Literal["link"] = "link"

    @property
    def size(self) -> int:
        return len(self.labels)

    def train(self, exponent: int, seed: int | None, meter: Meter) -> None:
        order = np.arange(self.size) if seed is None else permutation(self.size, seed)
        self.feeding.train(self.features, self.labels, order, exponent, meter)

    def evaluate(self) -> float | None:
        return None if self.held_out is None else self.held_out.evaluate()


@dataclass(frozen=True, kw_only=True)
class FromStore:
    """The board holds the samples; the first `size` of them are learned."""

    feeding: Feeding
    size: int
    held_out: StoredPart | HeldOut | None
    reason: str
    name: Literal["store"] = "store"

    def train(self, exponent: int, seed: int | None, meter: Meter) -> None:
        self.feeding.train_stored(self.size, seed, exponent, meter)

    def evaluate(self) -> float | None:
        return None if self.held_out is None else self.held_out.evaluate()


def held_out_count(validation: float, samples: int) -> int:
    """How many of the last samples are held out. Raises ArgumentError if none is left to learn from, or to measure."""
    whole = isinstance(validation, int | np.integer) and not isinstance(validation, bool)
    share = isinstance(validation, float | np.floating) and 0 < validation < 1
    count = int(validation) if whole else round(float(validation) * samples) if share else 0
    if not 0 < count < samples:
        raise ArgumentError(
            f"validation must be (X, y), a share of the samples between 0 and 1, or how many of them (1 to "
            f"{samples - 1}), and is {validation!r}"
        )
    return count
