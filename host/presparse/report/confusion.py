"""The confusion matrix: what was answered for every class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from presparse.report.by_class import counts
from presparse.report.style import BLUE, INK, RED, SOFT, figure, plain

_UPRIGHT = 3
"""Letters of names that have room beside one another."""


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64], names: Sequence[str]) -> Figure:
    """Numbers of classes that have `names`: right answers in blue on the diagonal, mistakes in red beside it."""
    classes = len(names)
    table = counts(labels, answers, classes)
    right = np.where(np.eye(classes, dtype=bool), table, 0)
    wrong = table - right
    drawn = figure(5.6, 5.4)
    ax = plain(drawn.subplots(), grid=False)
    for values, color in ((right, BLUE), (wrong, RED)):
        shade = LinearSegmentedColormap.from_list("", ["white", color])
        ax.imshow(np.ma.masked_equal(values, 0), cmap=shade, vmin=0, vmax=max(1, values.max()) * 1.15)
    for row, column in zip(*np.nonzero(table), strict=True):
        strong = table[row, column] > (right if row == column else wrong).max() * 0.6
        ax.text(
            column, row, str(table[row, column]), ha="center", va="center",
            color="white" if strong else INK, fontsize=9 if classes <= 16 else 6,
        )  # fmt: skip
    ax.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#eef0f3", linewidth=1)
    ax.tick_params(which="minor", length=0)
    ax.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > _UPRIGHT else 0, parse_math=False)
    ax.set_yticks(range(classes), names, parse_math=False)
    ax.tick_params(colors=SOFT)
    ax.set_xlabel("the board's answer")
    ax.set_ylabel("what it is")
    mistakes = int(wrong.sum())
    ax.set_title(
        f"{len(labels) - mistakes} of {len(labels)} right, {mistakes} wrong", loc="left", color=INK, fontsize=11
    )
    return drawn
