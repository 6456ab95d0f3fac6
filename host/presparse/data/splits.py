"""A data set in three parts: one to train on, one to choose by, one to report.

Hyper-parameters are chosen by the validation part. The test part is looked at once, at the end: a number chosen on
it is no estimate of anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.data.labeled import Data
from presparse.errors import ArgumentError, MissingExtra
from presparse.validation import checked_seed

VALIDATION = 0.15
"""Part of all samples that is held out to choose by, unless told otherwise."""
OWN_TEST = ("mnist", "cifar10")
"""Data sets that bring samples to report on, `NAME-test`."""
TEST = 0.25
"""Part of all samples that is held out to report, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Three disjoint parts of one data set; each is X (k, features) and y (k,)."""

    train: Data
    validation: Data
    test: Data


def split(
    X: NDArray[np.float64], y: NDArray[np.int64], *, validation: float = VALIDATION, test: float = TEST, seed: int = 0
) -> Splits:
    """Three parts in which every class has the share it has in `y`, drawn with `seed`.

    `validation` and `test` are fractions of all samples; the rest is to train on. Raises as `hold_out` does.
    """
    counts = _count(validation, len(X)), _count(test, len(X))
    if validation + test >= 1:
        raise ArgumentError(
            f"validation and test must leave samples to train on: less than 1 together, and are {validation:g} and "
            f"{test:g}"
        )
    rest, held = _hold_out(X, y, counts[1], seed)
    train, chosen_by = _hold_out(*rest, counts[0], seed)
    return Splits(train=train, validation=chosen_by, test=held)


def hold_out(X: NDArray[np.float64], y: NDArray[np.int64], fraction: float, *, seed: int = 0) -> tuple[Data, Data]:
    """(what stays, what is held out): `fraction` of the samples is held out, every class in proportion, shuffled.

    Raises ArgumentError for a fraction that leaves fewer samples than classes on one side, and for a class with a
    single sample and a seed that is none; MissingExtra without scikit-learn, which draws the samples.
    """
    return _hold_out(X, y, _count(fraction, len(X)), seed)


def _count(fraction: float, samples: int) -> int:
    if isinstance(fraction, bool) or not isinstance(fraction, Real) or not 0 < fraction < 1:
        raise ArgumentError(f"the fraction held out must lie between 0 and 1, and is {shortened(fraction)}")
    return round(float(fraction) * samples)


def _hold_out(X: NDArray[np.float64], y: NDArray[np.int64], count: int, seed: int) -> tuple[Data, Data]:
    seed = checked_seed(seed, "seed")
    try:
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise MissingExtra("splitting a data set needs scikit-learn: pip install 'presparse[train]'") from error
    try:
        X_stays, X_held, y_stays, y_held = train_test_split(X, y, test_size=count, random_state=seed, stratify=y)
    except ValueError as error:
        raise ArgumentError(
            f"{count} of {len(X)} samples cannot be held out with every class in proportion ({error})"
        ) from error
    return (X_stays, y_stays), (X_held, y_held)
