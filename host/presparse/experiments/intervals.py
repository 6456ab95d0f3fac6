"""Means with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The mean, and half the width of its confidence interval by Student's t; infinite for a single value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("inf")
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return mean, float(student.ppf((1 + confidence) / 2, len(values) - 1)) * error
