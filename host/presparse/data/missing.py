"""Numbers that are not there, and what stands for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.errors import ArgumentError, DataError

Missing = Literal["refuse", "median"] | NDArray[np.float64]
"""What stands for a number that is not there: nothing does, the median of its column, or these (features,), such as the
medians of what a model was trained on."""


def refuses(missing: Missing) -> bool:
    """All numbers must be there. Raises ArgumentError for what is no `Missing`."""
    if isinstance(missing, str) and missing not in ("refuse", "median"):
        raise ArgumentError(f"missing must be 'refuse' or 'median', and is {shortened(missing)}")
    return isinstance(missing, str) and missing == "refuse"


def fill(
    X: NDArray[np.float64], missing: Missing, called: Callable[[int], str] = "feature {}".format
) -> NDArray[np.float64]:
    """Put what stands for NaN in its place in X (k, features), and return it, (features,); (0,) if nothing does.

    Raises DataError for a column without a number; `called` names it.
    """
    if refuses(missing):
        return np.zeros(0)
    if isinstance(missing, str):
        empty = np.flatnonzero(np.isnan(X).all(axis=0))
        if empty.size:
            raise DataError(f"{called(int(empty[0]))} holds no number at all; leave it out")
        medians = np.nanmedian(X, axis=0)
    else:
        medians = missing
    if X.shape[1] == len(medians):  # else they are of another network, which is found later
        samples, features = np.nonzero(np.isnan(X))
        X[samples, features] = medians[features]
    return medians
