"""Samples that are only measured, never learned: one rule for every training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.contract.description import shortened
from presparse.errors import ArgumentError
from presparse.validation import checked_seed

Validation = tuple[ArrayLike, ArrayLike] | float | None
"""(X, y); or which share of the samples is held out (0 < share < 1), or how many of them."""

Part = tuple[NDArray[np.float64], NDArray[np.int64]]
"""X (k, features) and y (k,), checked."""


def is_pair(validation: object) -> TypeGuard[tuple[ArrayLike, ArrayLike]]:
    """(X, y), and not how many samples."""
    return isinstance(validation, tuple) and len(validation) == 2


def parted(
    samples: Part, validation: Validation, seed: int, checked: Callable[[ArrayLike, ArrayLike], Part]
) -> tuple[Part, Part | None]:
    """(to learn from, held out); None without `validation`. A pair (X, y) that is given as such goes through `checked`.

    Raises ArgumentError as `held_out_count`, and what `checked` raises.
    """
    if validation is None:
        return samples, None
    if is_pair(validation):
        return samples, checked(*validation)
    X, y = samples
    learned, held = hold_out(y, validation, seed)
    return (X[learned], y[learned]), (X[held], y[held])


def held_out_count(validation: object, samples: int) -> int:
    """How many samples are held out. Raises ArgumentError if none is left to learn from, or to measure."""
    if isinstance(validation, int | np.integer) and not isinstance(validation, bool):
        count = int(validation)
    elif isinstance(validation, float | np.floating) and 0 < validation < 1:
        count = round(float(validation) * samples)
        if not 0 < count < samples:
            raise ArgumentError(
                f"holding out {float(validation):g} of {samples} samples leaves none to "
                f"{'learn from' if count else 'measure'}; use more samples, or another share"
            )
    else:
        count = 0
    if not 0 < count < samples:
        raise ArgumentError(
            f"validation must be (X, y), a share of the samples between 0 and 1, or how many of them (1 to "
            f"{samples - 1}), and is {shortened(validation)}"
        )
    return count


def hold_out(labels: NDArray[np.int64], validation: object, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of (k,) labels to learn from, and rows to hold out; both ascend.

    Drawn with `seed`, every class in proportion to its number of samples. Raises ArgumentError as `held_out_count`, and
    for a seed that is none.
    """
    samples = len(labels)
    count = held_out_count(validation, samples)
    shuffled = np.random.default_rng(checked_seed(seed)).permutation(samples)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    held = np.zeros(samples, dtype=bool)
    held[by_class[(np.arange(count) * samples + samples // 2) // count]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
