"""Fitting few coefficients to few builds: least squares of relative errors, and how well ranks agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def non_negative(features: Matrix, targets: Vector, expected: Vector, *, trust: float = 0.0) -> Vector:
    """Coefficients, none negative, that minimise the squared relative error of `features @ coefficients`.

    `targets` and `expected` are positive. A coefficient twice as large as `expected` costs as much as a relative error
    of sqrt(`trust`) in one target: what few builds cannot tell stays near what one would think.

    The active-set method of Lawson and Hanson (1974), chapter 23.
    """
    a = np.vstack([features / targets[:, None], np.diag(np.sqrt(trust) / expected)])
    b = np.concatenate([np.ones(len(targets)), np.full(len(expected), np.sqrt(trust))])
    scale = np.linalg.norm(a, axis=0)
    scale[scale == 0] = 1
    a = a / scale
    x = np.zeros(a.shape[1])
    free = np.zeros(a.shape[1], dtype=bool)
    for _ in range(10 * a.shape[1]):
        gradient = a.T @ (b - a @ x)
        candidates = ~free & (gradient > 1e-9)
        if not candidates.any():
            break
        free[np.argmax(np.where(candidates, gradient, -np.inf))] = True
        while True:
            best = np.zeros_like(x)
            best[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
            if (best[free] > 0).all():
                x = best
                break
            falling = free & (best <= 0)
            step = np.min(x[falling] / (x[falling] - best[falling]))
            x = x + step * (best - x)
            free &= x > 1e-12
            x[~free] = 0
    return x / scale


def logarithmic(features: Matrix, targets: Vector, expected: Vector, *, ridge: float = 1e-2) -> Vector:
    """Coefficients with `targets` near exp(`features @ coefficients`), drawn towards `expected` a little: a deviation
    of 1 from it costs as much as an error by a factor of exp(sqrt(`ridge`)) in one target."""
    a = np.vstack([features.reshape(-1, len(expected)), np.sqrt(ridge) * np.eye(len(expected))])
    b = np.concatenate([np.log(targets), np.sqrt(ridge) * expected])
    return np.asarray(np.linalg.lstsq(a, b, rcond=None)[0], dtype=np.float64)


def spearman(x: Vector, y: Vector) -> float:
    """Rank correlation; 1 if both order the builds alike. Equal values share their ranks. 0 if one is constant."""
    rx, ry = _ranks(x), _ranks(y)
    rx, ry = rx - rx.mean(), ry - ry.mean()
    size = np.sqrt((rx @ rx) * (ry @ ry))
    return float(rx @ ry / size) if size else 0.0


def _ranks(values: Vector) -> Vector:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[which]
