"""Checks of what users pass: samples, labels, numbers. Each is made once, where a call begins."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.errors import ArgumentError, FeatureError

LARGEST_SEED = (1 << 32) - 1
"""As scikit-learn has it."""


def checked_features(X: ArrayLike, features: int) -> NDArray[np.float64]:
    """X as (k, features) real numbers, k >= 1. Raises FeatureError for anything else."""
    try:
        values = np.asarray(X)
    except ValueError as error:
        raise FeatureError(
            f"X must be one array of shape (samples, {features}); its rows have unequal lengths"
        ) from error
    if values.dtype != np.bool_ and not (
        np.issubdtype(values.dtype, np.number) and not np.issubdtype(values.dtype, np.complexfloating)
    ):
        raise FeatureError(f"X must hold real numbers, and has dtype {values.dtype}; convert it with X.astype(float)")
    if values.ndim != 2 or values.shape[1] != features:
        mend = "; for one sample, pass X[None, :]" if values.shape == (features,) else ""
        raise FeatureError(f"X must have shape (samples, {features}), and has {values.shape}{mend}")
    if len(values) == 0:
        raise FeatureError(f"X must hold at least one sample, and has shape {values.shape}")
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        bad = np.argwhere(~np.isfinite(values))
        sample, feature = bad[0]
        raise FeatureError(
            f"X must be finite, and sample {sample}, feature {feature} is {values[sample, feature]} "
            f"({len(bad)} such in all); remove or impute it"
        )
    return values


def checked_labels(y: ArrayLike, count: int, classes: int) -> NDArray[np.int64]:
    """y as (count,) class numbers 0 .. classes - 1. Raises FeatureError for anything else."""
    labels = np.asarray(y)
    if labels.shape != (count,):
        raise FeatureError(f"y must have one label per sample, shape ({count},), and has {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer) and not np.issubdtype(labels.dtype, np.floating):
        raise FeatureError(f"y must hold class numbers 0 to {classes - 1}, and has dtype {labels.dtype}")
    bad = labels[~np.isin(labels, np.arange(classes))]
    if bad.size:
        raise FeatureError(f"y must hold class numbers 0 to {classes - 1}, and one label is {bad[0]}")
    return labels.astype(np.int64)


def checked_samples(
    X: ArrayLike, y: ArrayLike, features: int, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(X, y) as (k, features) real numbers and (k,) class numbers. Raises FeatureError."""
    values = checked_features(X, features)
    return values, checked_labels(y, len(values), classes)


def checked_count(name: str, value: object) -> int:
    """A whole number of at least 1. Raises ArgumentError, naming the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{name} must be a whole number, at least 1, and is {value!r}")
    return int(value)


def checked_seed(value: object) -> int:
    """`random_state`, a whole number that fits 32 bits. Raises ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value <= LARGEST_SEED:
        raise ArgumentError(f"random_state must be a whole number, 0 to {LARGEST_SEED}, and is {value!r}")
    return int(value)


def checked_lr(value: object) -> float:
    """A learning rate: a positive number. Raises ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise ArgumentError(f"lr, the learning rate, must be a positive number, such as 0.01, and is {value!r}")
    return float(value)
