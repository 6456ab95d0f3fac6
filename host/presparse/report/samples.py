"""Some images with the answers they got: every mistake first."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from presparse.report.style import GREEN, RED, figure


def samples(
    X: NDArray[np.float64], labels: NDArray[np.int64], answers: NDArray[np.int64], *, columns: int = 12, rows: int = 2
) -> Figure:
    """Square images X (k, side * side) with what the board said; mistakes first, then right answers."""
    side = int(np.sqrt(X.shape[1]))
    shown = np.argsort(labels == answers, kind="stable")[: columns * rows]
    drawn = figure(11, 1.15 * rows + 0.1)
    for ax in (grid := drawn.subplots(rows, columns, squeeze=False)).flat:
        ax.set_axis_off()
    for ax, index in zip(grid.flat, shown, strict=False):
        ax.imshow(X[index].reshape(side, side), cmap="gray_r", interpolation="nearest")
        right = labels[index] == answers[index]
        note = f"{answers[index]}" if right else f"{answers[index]}, is {labels[index]}"
        ax.set_title(note, color=GREEN if right else RED, fontsize=10, pad=3)
    return drawn
