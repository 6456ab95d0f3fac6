"""Where the samples of a fit come from: this computer, epoch after epoch, or the board's store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from presparse.contract.permutation import permutation
from presparse.contract.store import Contents
from presparse.contract.wire import SampleKind, StoredRun
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

    @property
    def learned(self) -> Labels:
        """(size,) classes of the samples to learn from."""
        ...

    def features(self, rows: NDArray[np.int64]) -> Encoded:
        """(m, N_0) of some of them."""
        ...

    @property
    def held_out(self) -> HeldOut | StoredPart | None:
        """Samples that are only measured."""
        ...

    def train(self, exponent: int, seed: int | None, meter: Meter, samples: int | None = None) -> None:
        """One pass, permuted by `seed` unless it is None; over the first `samples`, None: all."""
        ...


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Held-out samples that stay on this computer."""

    feeding: Feeding
    features: Encoded
    labels: Labels

    @property
    def count(self) -> int:
        return len(self.labels)

    def evaluate(self) -> float:
        """Accuracy."""
        return self.feeding.evaluate(self.features, self.labels)


@dataclass(frozen=True, kw_only=True)
class StoredPart:
    """Held-out samples in the store."""

    feeding: Feeding
    first: int
    labels: Labels

    @property
    def count(self) -> int:
        return len(self.labels)

    def evaluate(self) -> float:
        """Accuracy."""
        return self.feeding.evaluate_stored(self.first, self.count)


@dataclass(frozen=True, kw_only=True)
class FromLink:
    """Every sample crosses the link in every epoch."""

    feeding: Feeding
    encoded: Encoded
    labels: Labels
    rows: NDArray[np.int64]
    """Of these, the samples to learn from, in order; some may be there several times."""
    held_out: HeldOut | None
    reason: str
    name: Literal["link"] = "link"

    @property
    def size(self) -> int:
        return len(self.rows)

    @property
    def learned(self) -> Labels:
        return self.labels[self.rows]

    def features(self, rows: NDArray[np.int64]) -> Encoded:
        return self.encoded[self.rows[rows]]

    def train(self, exponent: int, seed: int | None, meter: Meter, samples: int | None = None) -> None:
        count = samples or self.size
        order = np.arange(count) if seed is None else permutation(count, seed)
        self.feeding.train(self.encoded, self.labels, self.rows[order], exponent, meter)


@dataclass(frozen=True, kw_only=True)
class FromStore:
    """The board holds the samples; the first `size` of them are learned."""

    feeding: Feeding
    contents: Contents
    size: int
    held_out: StoredPart | HeldOut | None
    name: Literal["store"] = "store"

    @property
    def reason(self) -> str:
        return f"{len(self.contents):,} samples are in the board's store, {self.contents.layout.bits} bits per feature"

    @property
    def learned(self) -> Labels:
        return self.contents.labels[: self.size]

    def features(self, rows: NDArray[np.int64]) -> Encoded:
        return self.contents.samples(StoredRun(kind=SampleKind.EVALUATE, count=self.size)).features[rows]

    def train(self, exponent: int, seed: int | None, meter: Meter, samples: int | None = None) -> None:
        self.feeding.train_stored(samples or self.size, seed, exponent, meter)


def from_samples(
    feeding: Feeding,
    store: BoardStore,
    model: Model,
    features: Encoded,
    labels: Labels,
    learned: NDArray[np.int64],
    held: NDArray[np.int64],
) -> FromStore | FromLink:
    """Of encoded samples the rows `learned` to learn from, in that order, and the rows `held` held out; through the
    board's store if it has one and they fit there, at least those to learn from.
    """
    held_out = HeldOut(feeding=feeding, features=features[held], labels=labels[held]) if len(held) else None
    if not store.exists:
        reason = "the board has no sample store"
    else:
        try:
            return _through_store(feeding, store, model, features, labels, learned, held, held_out)
        except StoreError as error:
            reason = str(error)
    return FromLink(feeding=feeding, encoded=features, labels=labels, rows=learned, held_out=held_out, reason=reason)


def from_stored(feeding: Feeding, contents: Contents, held_out: StoredPart | HeldOut | None) -> FromStore:
    """Of what is stored all but the part that is held out, which comes last."""
    size = held_out.first if isinstance(held_out, StoredPart) else len(contents)
    return FromStore(feeding=feeding, contents=contents, size=size, held_out=held_out)


def _through_store(
    feeding: Feeding,
    store: BoardStore,
    model: Model,
    features: Encoded,
    labels: Labels,
    learned: NDArray[np.int64],
    held: NDArray[np.int64],
    held_out: HeldOut | None,
) -> FromStore:
    """All samples, or at least those to learn from. Raises StoreError if these do not fit either."""
    part: StoredPart | HeldOut | None = held_out
    try:
        contents = _contents(store, features, labels, np.concatenate([learned, held]))
    except StoreError:
        if held_out is None:
            raise
        contents = _contents(store, features, labels, learned)
    else:
        if held_out is not None:
            part = StoredPart(feeding=feeding, first=len(learned), labels=labels[held])
    store.ensure(contents, model)
    return FromStore(feeding=feeding, contents=contents, size=len(learned), held_out=part)


def _contents(store: BoardStore, features: Encoded, labels: Labels, rows: NDArray[np.int64]) -> Contents:
    """Raises StoreError if these rows do not fit the store: for their number, before they are copied."""
    store.layout.check_samples(len(rows))
    return Contents.encode(store.layout, features[rows], labels[rows])
