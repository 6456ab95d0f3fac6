"""What users of scikit-learn give: checked as scikit-learn does, refused as Presparse does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from presparse.arrays import numbers
from presparse.errors import FeatureError


def features_of(estimator: BaseEstimator, X: ArrayLike) -> NDArray[Any]:
    """X (samples, features) as the estimator was fitted with, sparse matrices with their zeros. Raises FeatureError."""
    with _refusals():
        values = validate_data(estimator, X, reset=False, accept_sparse=True)
    return numbers(values, "X")


def labeled(
    estimator: BaseEstimator, X: ArrayLike, y: ArrayLike, *, reset: bool = True, **how: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """X (samples, features) and labels y (samples,); with `reset` the estimator remembers features and their names.

    `how` goes to `sklearn.utils.validation.validate_data`. Raises FeatureError.
    """
    with _refusals():
        values, labels = validate_data(estimator, X, y, reset=reset, accept_sparse=True, **how)
        check_classification_targets(labels)
    return numbers(values, "X"), labels


@contextmanager
def _refusals() -> Iterator[None]:
    """scikit-learn's refusals, of several lines at times, as errors of Presparse."""
    try:
        yield
    except ValueError as error:
        raise FeatureError(" ".join(str(error).split())) from error
