"""Fitting few coefficients to few builds: least squares of relative errors, and how well ranks agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import spearmanr

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def non_negative(features: Matrix, targets: Vector, expected: Vector, *, trust: float = 0.0) -> Vector:
    """Coefficients, none negative, that minimise the squared relative error of `features @ coefficients`.

    `targets` and `expected` are positive. A coefficient twice as large as `expected` costs as much as a relative error
    of sqrt(`trust`) in one target: what few builds cannot tell stays near what one would think.
    """
    a = np.vstack([features / targets[:, None], np.diag(np.sqrt(trust) / expected)])
    b = np.concatenate([np.ones(len(targets)), np.full(len(expected), np.sqrt(trust))])
    scale = np.linalg.norm(a, axis=0)
    scale[scale == 0] = 1
    return nnls(a / scale, b)[0] / scale


def logarithmic(features: Matrix, targets: Vector, expected: Vector, *, ridge: float = 1e-2) -> Vector:
    """Coefficients with `targets` near exp(`features @ coefficients`), drawn towards `expected` a little: a deviation
    of 1 from it costs as much as an error by a factor of exp(sqrt(`ridge`)) in one target."""
    a = np.vstack([features.reshape(-1, len(expected)), np.sqrt(ridge) * np.eye(len(expected))])
    b = np.concatenate([np.log(targets), np.sqrt(ridge) * expected])
    return np.asarray(np.linalg.lstsq(a, b, rcond=None)[0], dtype=np.float64)


def spearman(x: Vector, y: Vector) -> float:
    """Rank correlation; 1 if both order the builds alike. 0 if one is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(spearmanr(x, y).statistic)
