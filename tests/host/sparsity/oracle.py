"""Proximal operators by numerical minimization, for one group at a time: no formula of the operators is used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """sum (x - z)^2 / (2 step) + l1 sum|x| + l2 sum x^2 + group ||x||, for one group z."""

    z: Reals
    step: Reals
    l1: float = 0.0
    l2: float = 0.0
    group: float = 0.0

    def __call__(self, x: Reals) -> float:
        distance = np.sum((x - self.z) ** 2 / (2 * self.step))
        return float(distance + self.l1 * np.abs(x).sum() + self.l2 * (x @ x) + self.group * np.linalg.norm(x))

    def minimum(self) -> Reals:
        """To better than 1e-6, by L-BFGS over x = sqrt(step) (up - down), with up and down at least 0.

        So |x| is smooth, and the first term round; there is one kink left, at x = 0, which is tried as well.
        """
        size, scale = len(self.z), np.sqrt(self.step)

        def of(parts: Reals) -> tuple[float, Reals]:
            up, down = scale * parts[:size], scale * parts[size:]
            x = up - down
            norm = np.linalg.norm(x)
            slope = (x - self.z) / self.step + 2 * self.l2 * x + (self.group * x / norm if norm else 0.0)
            value = self(x) + self.l1 * (np.sum(up + down) - np.abs(x).sum())
            return value, np.concatenate([scale * (self.l1 + slope), scale * (self.l1 - slope)])

        start = np.concatenate([np.maximum(self.z, 0), np.maximum(-self.z, 0)]) / np.tile(scale, 2)
        bounds = [(0.0, None)] * (2 * size)
        options = {"maxiter": 500, "ftol": 1e-18, "gtol": 1e-12, "maxcor": 30}
        with threadpool_limits(1):  # threads that wait for each other over ten numbers take a hundred times as long
            parts = minimize(of, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x
        x = scale * (parts[:size] - parts[size:])
        zero = np.zeros(size)
        return zero if self(zero) <= self(x) else x
