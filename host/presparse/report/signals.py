"""Some one-dimensional samples, such as Morse code: a strip for each, dark where it is strong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from presparse.report.style import INK, LINE, figure


def signals(X: NDArray[np.float64], names: Sequence[str], *, columns: int = 2) -> Figure:
    """Every sample of X (k, features), named; fill in columns, top to bottom."""
    rows = -(-len(X) // columns)
    drawn = figure(11, 0.2 + 0.36 * rows)
    grid = drawn.subplots(rows, columns, squeeze=False)
    for ax in grid.flat:
        ax.set_axis_off()
    for sample, name, ax in zip(X, names, grid.T.flat, strict=False):
        ax.set_axis_on()
        ax.imshow(sample[None], cmap="gray_r", vmin=X.min(), vmax=X.max(), aspect="auto", interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([0], [name], color=INK)
        ax.tick_params(length=0)
        ax.spines[:].set_color(LINE)
    return drawn
