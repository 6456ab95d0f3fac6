"""Checks of what users pass: samples and labels. Each is made once, where a call begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.errors import FeatureError


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
    values = values.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
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
