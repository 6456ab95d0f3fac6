"""Which samples a training learns from and which it holds out, in what order, and how often each comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.fitting.class_weight import balanced_rows
from presparse.fitting.holding_out import Part, Validation, parted

SHARE = 10
"""One of so many samples is held out where the training needs some, and its user names none."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Checked samples, and the numbers of those among them that are learned and held out."""

    values: NDArray[np.float64]
    """(k, features)"""
    labels: NDArray[np.int64]
    """(k,) class numbers."""
    learned: NDArray[np.int64]
    """Rows, in the order that epochs permute."""
    held_out: NDArray[np.int64]
    """Rows; they come last."""

    @property
    def learned_values(self) -> NDArray[np.float64]:
        """Of the samples that are learned, each once, in the user's order."""
        return self.values[: self.learned.max() + 1]


def select(
    samples: Part,
    validation: Validation,
    checked: Callable[[ArrayLike, ArrayLike], Part],
    *,
    balanced: bool,
    shuffle: bool,
    seed: int,
) -> Selection:
    """Hold samples out as `parted` does; with `balanced` every class counts alike in both parts; with `shuffle` those
    to learn from are in an order that `seed` draws, so that the first of them stand for all.

    Raises as `parted`.
    """
    (values, labels), held = parted(samples, validation, seed, checked)
    learned = balanced_rows(labels) if balanced else np.arange(len(labels))
    if shuffle:
        learned = np.random.default_rng(seed).permutation(learned)
    held_out = np.arange(0)
    if held is not None:
        held_out = len(labels) + (balanced_rows(held[1]) if balanced else np.arange(len(held[1])))
        values, labels = np.concatenate([values, held[0]]), np.concatenate([labels, held[1]])
    return Selection(values=values, labels=labels, learned=learned, held_out=held_out)


def tenth(samples: int) -> int | None:
    """How many of them are held out if nobody says; None: none, of a handful."""
    return round(samples / SHARE) or None
