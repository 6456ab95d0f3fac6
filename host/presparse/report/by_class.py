"""What was answered for each class: the confusion matrix, and what follows from it. Needs no matplotlib."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """One class."""

    samples: int
    """That are of this class."""
    precision: float | None
    """Right among the answers that name this class; None: no answer does."""
    recall: float | None
    """Right among the samples of this class; None: there is none."""


def counts(labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(classes, classes): how often class [row] was answered with class [column]."""
    return np.bincount(labels * classes + answers, minlength=classes * classes).reshape(classes, classes)


def by_class(table: NDArray[np.int64]) -> list[ClassFigures]:
    """Of each class, from what `counts` gives."""
    right, there, answered = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    return [
        ClassFigures(samples=int(s), precision=float(r / a) if a else None, recall=float(r / s) if s else None)
        for r, s, a in zip(right, there, answered, strict=True)
    ]
