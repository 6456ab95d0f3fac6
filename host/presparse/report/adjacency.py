"""Adjacency matrices side by side: kinds of patterns of one junction, to be compared by eye."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from presparse.patterns import adjacency as matrix_of
from presparse.patterns import scatter
from presparse.report.style import BLUE, INK, LINE, figure, plain


def adjacency(patterns: Mapping[str, NDArray[np.int64]], neurons: int) -> Figure:
    """One matrix per named pattern (right, in_degree) over `neurons` left neurons: a mark for each edge.

    A row is a right neuron, a column a left neuron. Raises PatternError for a pattern that is none.
    """
    drawn = figure(11, 0.9 + 10 / len(patterns))
    axes = drawn.subplots(1, len(patterns), squeeze=False, sharey=True)[0]
    for (name, left), ax in zip(patterns.items(), axes, strict=True):
        matrix = matrix_of(left, neurons)
        # Where marks are finer than pixels, a pixel shows their mean: none gets lost.
        fine = ax.bbox.width < neurons or ax.bbox.height < len(matrix)
        ax.imshow(
            matrix,
            cmap=ListedColormap(["white", BLUE]),
            vmin=0,
            vmax=1,
            extent=(0, neurons, len(matrix), 0),
            aspect="auto",
            interpolation="antialiased" if fine else "nearest",
            interpolation_stage="rgba",
        )
        plain(ax, grid=False)
        ax.spines[:].set_visible(True)
        ax.spines[:].set_color(LINE)
        ax.set_title(name, loc="left", color=INK, fontsize=11)
        ax.set_xlabel(f"left neuron\nscatter {scatter(matrix):.2f} forward, {scatter(matrix.T):.2f} back")
    axes[0].set_ylabel("right neuron")
    return drawn
