"""Where the samples of a fit come from: this computer, epoch after epoch, as they are or moved, or the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from presparse.contract.permutation import order
from presparse.contract.store import Contents, StoreMemory
from presparse.errors import StoreError
from presparse.features.shifts import Shifts
from presparse.fitting.board_store import BoardStore
from presparse.fitting.compression import Encoded, palettes_for
from presparse.fitting.feeding import Feeding, Labels
from presparse.fitting.meter import Meter
from presparse.fitting.selection import Selection
from presparse.model import Model

_MEMORIES: Mapping[StoreMemory, tuple[str, float]] = {"block": ("block RAM", 1.0), "sdram": ("SDRAM", 4.2)}
"""What they are called, and the cycles that each takes from one sample to the next beyond a sample's words."""
_CLOCK = 100e6
"""Hz, as an example: this computer does not know the board's."""


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
    slot: int
    """log2 of the words of a sample's slot."""
    labels: Labels

    @property
    def count(self) -> int:
        return len(self.labels)

    def evaluate(self) -> float:
        """Accuracy."""
        return self.feeding.evaluate_stored(self.first, self.count, self.slot)


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
        self.feeding.train(self.encoded, self.labels, self.rows[order(count, seed)], exponent, meter)


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Images that cross the link in every epoch, each time moved otherwise."""

    feeding: Feeding
    model: Model
    values: NDArray[np.float64]
    """(size, width): to learn from, in order and as the user gave them."""
    encoded: Encoded | None
    """The same, if what is moved and then encoded is what is encoded and then moved, which takes less time."""
    learned: Labels
    shifts: Shifts
    held_out: HeldOut | None
    reason: str
    name: Literal["link"] = "link"

    @property
    def size(self) -> int:
        return len(self.values)

    def features(self, rows: NDArray[np.int64]) -> Encoded:
        """Not moved."""
        return self.model.encode_checked(self.values[rows])

    def train(self, exponent: int, seed: int | None, meter: Meter, samples: int | None = None) -> None:
        count = samples or self.size
        moved = self.moved(count, meter.number)
        self.feeding.train(moved, self.learned[:count], order(count, seed), exponent, meter)

    def moved(self, count: int, epoch: int) -> Encoded:
        """(count, N_0): the first samples, as they are learned in an epoch."""
        if self.encoded is not None:
            return self.shifts.moved(self.encoded[:count], epoch, self.model.inputs.places)
        return self.model.encode_familiar(self.shifts.moved(self.values[:count], epoch))


@dataclass(frozen=True, kw_only=True)
class FromStore:
    """The board holds the samples; the first `size` of them are learned."""

    feeding: Feeding
    contents: Contents
    size: int
    held_out: StoredPart | HeldOut | None
    period: int
    """Cycles that the core takes for a sample."""
    name: Literal["store"] = "store"

    @property
    def reason(self) -> str:
        words = float(self.contents.lengths.mean())
        memory, between = _MEMORIES[self.contents.layout.memory]
        cycles = max(float(self.period), words + between)
        return (
            f"{len(self.contents):,} samples are in the board's {memory}, {2 * words:.0f} bytes each: one in about "
            f"{cycles:.0f} cycles, {_CLOCK / cycles:,.0f} per second at {_CLOCK / 1e6:.0f} MHz"
        )

    @property
    def learned(self) -> Labels:
        return self.contents.labels[: self.size]

    def features(self, rows: NDArray[np.int64]) -> Encoded:
        return self.contents.features(rows)

    def train(self, exponent: int, seed: int | None, meter: Meter, samples: int | None = None) -> None:
        self.feeding.train_stored(samples or self.size, self.contents.slot, seed, exponent, meter)


def from_samples(
    feeding: Feeding,
    store: BoardStore,
    model: Model,
    features: Encoded,
    labels: Labels,
    learned: NDArray[np.int64],
    held: NDArray[np.int64],
    *,
    passes: int,
) -> FromStore | FromLink:
    """Of encoded samples the rows `learned` to learn from, in that order, and the rows `held` held out; through the
    board's store if it has one and they fit there, at least those to learn from; else over the link, in as few bytes as
    pay for so many passes.
    """
    held_out = HeldOut(feeding=feeding, features=features[held], labels=labels[held]) if len(held) else None
    reason = store.refusal()
    if not reason:
        try:
            return _through_store(feeding, store, model, features, labels, learned, held, held_out)
        except StoreError as error:
            reason = str(error)
    reason = "; ".join(filter(None, (reason, feeding.compress(model, features, passes))))
    return FromLink(feeding=feeding, encoded=features, labels=labels, rows=learned, held_out=held_out, reason=reason)


def from_moved(feeding: Feeding, model: Model, selected: Selection, shifts: Shifts, *, passes: int) -> Moved:
    """Of checked samples, over the link in as few bytes as pay for so many passes."""
    values, held_out = selected.values[selected.learned], None
    if len(held := selected.held_out):
        features = model.encode_checked(selected.values[held])
        held_out = HeldOut(feeding=feeding, features=features, labels=selected.labels[held])
    source = Moved(
        feeding=feeding,
        model=model,
        values=values,
        encoded=model.encode_checked(values) if model.inputs.alike else None,
        learned=selected.labels[selected.learned],
        shifts=shifts,
        held_out=held_out,
        reason="images are moved anew in every epoch",
    )
    if not feeding.compresses:
        return source
    # An epoch's images show what values there are.
    sent = feeding.compress(model, source.moved(source.size, 1), passes)
    return replace(source, reason=f"{source.reason}; {sent}")


def from_stored(
    feeding: Feeding, store: BoardStore, contents: Contents, held_out: StoredPart | HeldOut | None
) -> FromStore:
    """Of what is stored all but the part that is held out, which comes last."""
    size = held_out.first if isinstance(held_out, StoredPart) else len(contents)
    return FromStore(feeding=feeding, contents=contents, size=size, held_out=held_out, period=store.period)


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
        contents = _contents(store, model, features, labels, np.concatenate([learned, held]))
    except StoreError:
        if held_out is None:
            raise
        contents = _contents(store, model, features, labels, learned)
    else:
        if held_out is not None:
            part = StoredPart(feeding=feeding, first=len(learned), slot=contents.slot, labels=labels[held])
    store.ensure(contents, model)
    return FromStore(feeding=feeding, contents=contents, size=len(learned), held_out=part, period=store.period)


def _contents(store: BoardStore, model: Model, features: Encoded, labels: Labels, rows: NDArray[np.int64]) -> Contents:
    """Raises StoreError if these rows do not fit the store: for their number, before they are copied."""
    store.layout.check_samples(len(rows))
    chosen = features[rows]
    return Contents.encode(store.layout, chosen, labels[rows], palettes_for(store.layout.format, model, chosen))
