"""Samples that are only measured, never learned: one rule for every training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.contract.description import shortened
from presparse.errors import ArgumentError

Validation = tuple[ArrayLike, ArrayLike] | float | None
"""(X, y); or which share of the samples is held out (0 < share < 1), or how many of them."""

Part = tuple[NDArray[np.float64], NDArray[np.int64]]
"""X (k, features) and y (k,), checked."""


def parted(
    samples: Part, validation: Validation, seed: int, checked: Callable[[ArrayLike, ArrayLike], Part]
) -> tuple[Part, Part | None]:
    """(to learn from, held out); None without `validation`. A pair (X, y) that is given as such goes through `checked`.

    Raises ArgumentError as `held_out_count`, and what `checked` raises.
    """
    if validation is None:
        return samples, None
    if isinstance(validation, tuple):
        return samples, checked(*checked_pair(validation))
    X, y = samples
    learned, held = hold_out(y, validation, seed)
    return (X[learned], y[learned]), (X[held], y[held])


def checked_pair(validation: tuple[ArrayLike, ArrayLike]) -> tuple[ArrayLike, ArrayLike]:
    """Held-out samples that are given as such. Raises ArgumentError for a tuple of anything but X and y."""
    if len(validation) != 2:
        raise ArgumentError(f"validation as a tuple must be (X, y), and has {len(validation)} parts")
    return validation


def held_out_count(validation: float, samples: int) -> int:
    """How many samples are held out. Raises ArgumentError if none is left to learn from, or to measure."""
    whole = isinstance(validation, int | np.integer) and not isinstance(validation, bool)
    share = isinstance(validation, float | np.floating) and 0 < validation < 1
    count = int(validation) if whole else round(float(validation) * samples) if share else 0
    if not 0 < count < samples:
        raise ArgumentError(
            f"validation must be (X, y), a share of the samples between 0 and 1, or how many of them (1 to "
            f"{samples - 1}), and is {shortened(validation)}"
        )
    return count


def hold_out(labels: NDArray[np.int64], validation: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of (k,) labels to learn from, and rows to hold out; both ascend.

    Drawn with `seed`, every class in proportion to its number of samples. Raises ArgumentError as `held_out_count`.
    """
    samples = len(labels)
    count = held_out_count(validation, samples)
    shuffled = np.random.default_rng(seed).permutation(samples)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    held = np.zeros(samples, dtype=bool)
    held[by_class[(np.arange(count) * samples + samples // 2) // count]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
