"""What accuracy to expect of networks that were measured on few samples: the best of many are best by luck.

A network is expected to be as good as those that are like it, and better or worse as far as its own measurements say so
for sure. That is kriging, with effects of single networks and of parts of the samples (Rasmussen and Williams, Gaussian
Processes for Machine Learning, sections 2.2 and 2.7): accuracy = mean + trend(figures) + network + part + luck. Nothing
is fitted: measurements that networks were chosen by would fit too well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MEAN = 1.0
"""Standard deviation of the mean, in accuracy: it may be anything."""
_TREND = 1.0
"""Of the trend, in errors: twice as many of them are nothing unusual elsewhere ..."""
_OWN = 0.2
"""... and a fifth more where networks have the same figures."""
_PART = 2.0
"""Of parts, in luck: some have more hard samples than others."""
_DIGITS = 6
"""Of what is expected, so that the last bits of another computer's linear algebra decide nothing."""


def expected(
    figures: ArrayLike, networks: Sequence[int], parts: Sequence[int], accuracies: ArrayLike, samples: int
) -> NDArray[np.float64]:
    """(n,): the accuracies of networks on samples like those of all parts, 0 to 1.

    Parameters
    ----------
    figures : (n, m) of each network (`Objectives.likeness`); a difference of 1, as twice the speed, makes two networks
        somewhat unlike
    networks, parts : (k,) of each measurement, whose it is, as a row of `figures`, and on which part of the samples
    accuracies : (k,) what was measured
    samples : in a part
    """
    points, measured = np.asarray(figures, dtype=np.float64), np.asarray(accuracies, dtype=np.float64)
    whose = np.asarray(networks, dtype=np.int64)
    level = float(measured.mean())
    never = 1 / (samples + 2)  # that there was no error so far, or nothing else, is luck, too (Laplace)
    errors = min(max(1 - level, never), 1 - never)
    luck = errors * (1 - errors) / samples
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    trend = _TREND**2 * np.exp(-squares / 2) + _OWN**2 * np.eye(len(points))
    prior = _MEAN**2 + errors**2 * trend
    same_part = np.equal.outer(parts, parts)
    covariance = prior[np.ix_(whose, whose)] + luck * (_PART**2 * same_part + np.eye(len(measured)))
    return (level + prior[:, whose] @ np.linalg.solve(covariance, measured - level)).clip(0, 1).round(_DIGITS)
