"""Samples on their way to a board or to the reference: encoded, padded, with what is to be done to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.contract.wire import SampleKind


@dataclass(frozen=True, eq=False)
class Samples:
    """An ordered batch of k samples for a network with N_0 left neurons in junction 1."""

    kinds: NDArray[np.uint8]
    """(k,) `SampleKind`: PREDICT, TRAIN or EVALUATE."""
    features: NDArray[np.signedinteger]
    """(k, N_0) integers of the activation format, padding included; of any type that holds them."""
    labels: NDArray[np.uint16]
    """(k,) classes; 0 for predictions."""
    rates: NDArray[np.uint8]
    """(k,) rate exponents: the learning rate of sample i is 2^-rates[i]; 0 unless training."""

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, part: slice) -> Samples:
        return Samples(self.kinds[part], self.features[part], self.labels[part], self.rates[part])

    @classmethod
    def predict(cls, features: NDArray[np.signedinteger]) -> Samples:
        return cls._make(SampleKind.PREDICT, features, 0, 0)

    @classmethod
    def train(cls, features: NDArray[np.signedinteger], labels: ArrayLike, rate: ArrayLike) -> Samples:
        """`rate`: the exponent k, one for all samples or one each."""
        return cls._make(SampleKind.TRAIN, features, labels, rate)

    @classmethod
    def evaluate(cls, features: NDArray[np.signedinteger], labels: ArrayLike) -> Samples:
        return cls._make(SampleKind.EVALUATE, features, labels, 0)

    @classmethod
    def _make(
        cls, kind: SampleKind, features: NDArray[np.signedinteger], labels: ArrayLike, rates: ArrayLike
    ) -> Samples:
        count = len(features)
        return cls(
            np.full(count, kind, dtype=np.uint8),
            np.asarray(features),
            np.broadcast_to(np.asarray(labels, dtype=np.uint16), (count,)),
            np.broadcast_to(np.asarray(rates, dtype=np.uint8), (count,)),
        )
