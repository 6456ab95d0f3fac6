"""Where the samples of a fit come from: this computer, epoch after epoch, or the board's store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from presparse.contract.permutation import permutation
from presparse.contract.store import Contents
from presparse.errors import StoreError
from presparse.fitting.board_store import BoardStore
from presparse.fitting.feeding import Encoded, Feeding, Labels
from presparse.fitting.meter import Meter
from presparse.model import Model


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


def from_samples(
    feeding: Feeding, store: BoardStore, model: Model, features: Encoded, labels: Labels, size: int
) -> FromStore | FromLink:
    """Of encoded samples the first `size` to learn from, the others held out; through the board's store if it has one
    and they fit there, at least those to learn from.
    """
    held_out = None
    if size < len(labels):
        held_out = HeldOut(feeding=feeding, features=features[size:], labels=labels[size:])
    if not store.exists:
        reason = "the board has no sample store"
    else:
        try:
            return _through_store(feeding, store, model, features, labels, size, held_out)
        except StoreError as error:
            reason = str(error)
    return FromLink(feeding=feeding, features=features[:size], labels=labels[:size], held_out=held_out, reason=reason)


def from_stored(feeding: Feeding, contents: Contents, held_out: StoredPart | HeldOut | None) -> FromStore:
    """Of what is stored all but the part that is held out, which comes last."""
    size = held_out.first if isinstance(held_out, StoredPart) else len(contents)
    return FromStore(feeding=feeding, size=size, held_out=held_out, reason=_reason(contents))


def _through_store(
    feeding: Feeding,
    store: BoardStore,
    model: Model,
    features: Encoded,
    labels: Labels,
    size: int,
    held_out: HeldOut | None,
) -> FromStore:
    """All samples, or at least those to learn from. Raises StoreError if these do not fit either."""
    part: StoredPart | HeldOut | None = held_out
    try:
        contents = Contents.encode(store.layout, features, labels)
    except StoreError:
        if held_out is None:
            raise
        contents = Contents.encode(store.layout, features[:size], labels[:size])
    else:
        if held_out is not None:
            part = StoredPart(feeding=feeding, first=size, count=len(labels) - size)
    store.ensure(contents, model)
    return FromStore(feeding=feeding, size=size, held_out=part, reason=_reason(contents))


def _reason(contents: Contents) -> str:
    return f"{len(contents):,} samples are in the board's store, {contents.layout.bits} bits per feature"
