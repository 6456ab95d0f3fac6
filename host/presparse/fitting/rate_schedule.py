"""How long a training on a device goes on, at which rates, and which of its epochs is kept.

All of it follows from the epochs so far, so that every device, and a training that goes on from a checkpoint, decides
the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.fitting.rates import Rates, is_auto, rate_exponents
from presparse.history import Epoch

SEEN = 100_000
"""Samples that a training sees unless told otherwise, however few there are: steps decide whether they are learned."""
FEWEST_EPOCHS, MOST_EPOCHS = 20, 1000
"""Of such a training."""
STANDING = 8_000
"""Samples seen without a gain until the rate falls, unless told otherwise ..."""
LEAST_PATIENCE = 3
"""... and at least so many epochs."""
FALL_BY = (0.6, 0.8, 0.9)
"""Shares of a training after which the rate falls for the first, second, third and last time, if it has not fallen
before: what it has learned settles at lower rates."""


class RateSchedule(Protocol):
    """The rates of a training."""

    @property
    def epochs(self) -> int:
        """At most, those before the first included."""
        ...

    @property
    def first_epoch(self) -> int:
        """Number, from 1, of the first that is trained; another training had those before it."""
        ...

    def described(self) -> dict[str, object]:
        """What tells it from others, in a checkpoint."""
        ...

    def exponent(self, done: Sequence[Epoch]) -> int | None:
        """k of the next epoch, whose rate is 2^-k, after those that are done; None: the training ends."""
        ...

    def kept(self, done: Sequence[Epoch]) -> int | None:
        """Number, from 1, of the epoch that is kept of these; None: simply the last."""
        ...


@dataclass(frozen=True, kw_only=True)
class GivenRates:
    """The user's."""

    exponents: Sequence[int]
    """One for each epoch."""
    patience: int | None
    """Epochs without a gain after which the training ends, and the best is kept; None: neither."""
    measured: int
    """Samples by which an epoch is judged."""
    first_epoch: int = 1

    @property
    def epochs(self) -> int:
        return len(self.exponents)

    def described(self) -> dict[str, object]:
        own = {"rate exponents": list(self.exponents), "patience": self.patience}
        return own if self.first_epoch == 1 else {**own, "first epoch": self.first_epoch}

    def exponent(self, done: Sequence[Epoch]) -> int | None:
        stands = self.patience is not None and len(done) - _last_gain(done) >= self.patience
        number = self.first_epoch + len(done)
        return None if stands or number > self.epochs else self.exponents[number - 1]

    def kept(self, done: Sequence[Epoch]) -> int | None:
        return None if self.patience is None else kept_epoch(done, self.measured)


@dataclass(frozen=True, kw_only=True)
class FoundRate:
    """What a search for the first rate found (`presparse.fitting.rate_search`)."""

    exponent: int
    """k of the rate 2^-k."""
    tried: Sequence[tuple[int, float]]
    """Exponents, and the accuracy with each, of held-out samples and of those it was tried on, together."""

    def __str__(self) -> str:
        tried = ", ".join(f"2^-{k} {accuracy:.1%}" for k, accuracy in self.tried)
        return f"lr begins at 2^-{self.exponent} (tried: {tried})"


@dataclass(frozen=True, kw_only=True)
class FallingRate:
    """A rate that is halved when the epochs gain no more, and at the latest when `FALL_BY` says so. After the last fall
    the training ends where it would fall again."""

    exponents: Sequence[int]
    """That the network has, ascending: the rate falls to the last at most."""
    first: int
    """k of the first epoch."""
    epochs: int
    patience: int
    """Epochs without a gain."""
    measured: int
    """Samples by which an epoch is judged."""

    @property
    def first_epoch(self) -> int:
        return 1  # what the epochs before another one were like would decide

    def __str__(self) -> str:
        return f"halved after {self.patience} epochs without a gain, at most {self.epochs} epochs"

    def described(self) -> dict[str, object]:
        return {"rate exponents": "auto", "epochs": self.epochs, "patience": self.patience}

    def exponent(self, done: Sequence[Epoch]) -> int | None:
        falls, since, best = 0, 0, -1.0
        for number, epoch in enumerate(done, start=1):
            if reached(epoch) > best:
                best, since = reached(epoch), number
            due = falls < len(FALL_BY) and number >= max(1, int(FALL_BY[falls] * self.epochs))
            if due or number - since >= self.patience:
                falls, since = falls + 1, number
        if falls > len(FALL_BY) or len(done) >= self.epochs:
            return None
        return min(self.first + falls, self.exponents[-1])

    def kept(self, done: Sequence[Epoch]) -> int | None:
        return kept_epoch(done, self.measured)


def schedule_of(
    network: Network,
    lr: Rates,
    *,
    epochs: int | None,
    patience: int | None,
    samples: int,
    held_out: int,
    first_epoch: int = 1,
) -> RateSchedule:
    """What a user asks for, with what is left open chosen for so many samples per epoch.

    Raises RateError; ArgumentError for a first epoch that is none of them.
    """
    measured = held_out or samples
    if not is_auto(lr):
        exponents = rate_exponents(network, lr, epochs, epochs_for(samples))
        if first_epoch > len(exponents):
            raise ArgumentError(f"first_epoch must be one of the {len(exponents)} epochs, and is {first_epoch}")
        return GivenRates(exponents=exponents, patience=patience, measured=measured, first_epoch=first_epoch)
    exponents = range(network.rates.least, network.rates.most + 1)
    return FallingRate(
        exponents=exponents,
        first=exponents[0],
        epochs=epochs or epochs_for(samples),
        patience=patience or max(LEAST_PATIENCE, math.ceil(STANDING / samples)),
        measured=measured,
    )


def epochs_for(samples: int) -> int:
    """Epochs of a training over so many samples, unless told otherwise."""
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, math.ceil(SEEN / samples)))


def reached(epoch: Epoch) -> float:
    """What counts of an epoch: accuracy on held-out samples, or, without any, on those that it trained."""
    return epoch.accuracy if epoch.validation is None else epoch.validation


def kept_epoch(done: Sequence[Epoch], measured: int) -> int | None:
    """Number, from 1, of the epoch that is kept: the last one that `measured` samples cannot tell from the best, by one
    standard error and one sample. A few samples that an early epoch got right by luck do not choose it.
    """
    if not done:
        return None
    best = max(reached(epoch) for epoch in done)
    margin = (1 + math.sqrt(measured * best * (1 - best))) / measured
    return max(number for number, epoch in enumerate(done, start=1) if reached(epoch) >= best - margin)


def _last_gain(done: Sequence[Epoch]) -> int:
    """Number of the first epoch that reached the most; 0 before the first."""
    if not done:
        return 0
    return 1 + max(range(len(done)), key=lambda index: reached(done[index]))
