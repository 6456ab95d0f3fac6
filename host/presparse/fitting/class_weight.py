"""Classes of unequal sizes: a board learns all samples alike, so a class counts more if its samples come more often."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.errors import ArgumentError

ClassWeight = Literal["balanced"] | None
"""None: every sample counts alike; 'balanced': every class."""


def checked_class_weight(value: object) -> bool:
    """Whether every class counts alike. Raises ArgumentError for what is no `ClassWeight`."""
    if value is None:
        return False
    if isinstance(value, str) and value == "balanced":
        return True
    raise ArgumentError(f"class_weight must be None or 'balanced', and is {shortened(value)}")


def balanced_rows(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of (k,) labels, ascending: of every class that is there as many as the largest has, each of its samples
    equally often, or once more."""
    counts = np.bincount(labels)
    most = counts.max()
    own = [np.flatnonzero(labels == label)[np.arange(most) * n // most] for label, n in enumerate(counts) if n]
    return np.sort(np.concatenate(own))
