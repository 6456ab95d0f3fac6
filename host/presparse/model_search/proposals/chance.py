"""Choices at random that a seed determines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """One of several, each as often as another, as it is: numpy's own choice makes an array of them."""
    return choices[int(rng.integers(len(choices)))]
