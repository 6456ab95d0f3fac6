"""The pattern: which neurons are connected, colored by the lane that processes the edge."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from presparse.contract.network import Junction
from presparse.model import Model
from presparse.report.style import INK, LINE, figure, plain

_PALETTE = "turbo"


def pattern(model: Model) -> Figure:
    """One matrix per junction: a row for each right neuron, a column for each left neuron, a mark for each edge."""
    junctions = model.network.junctions
    widths = [max(j.left, j.right / 2) for j in junctions]
    drawn = figure(11, 5.2)
    axes = drawn.subplots(1, len(junctions), width_ratios=widths, squeeze=False)[0]
    for j, left, ax in zip(junctions, model.left, axes, strict=True):
        # Where marks are finer than pixels, a pixel shows their mean: none gets lost.
        fine = ax.bbox.width < j.left or ax.bbox.height < j.right
        ax.imshow(
            lanes_of_edges(j, left),
            cmap=_colors(j.lanes),
            vmin=0,
            vmax=j.lanes,
            extent=(0, j.left, j.right, 0),
            aspect="auto",
            interpolation="antialiased" if fine else "nearest",
            interpolation_stage="rgba",
        )
        plain(ax, grid=False)
        ax.spines[:].set_visible(True)
        ax.spines[:].set_color(LINE)
        title = f"Junction {j.index}: {j.edges:,} edges, {j.density:.1%} of all"
        ax.set_title(title, loc="left", color=INK, fontsize=11)
        ax.set_xlabel(f"left neuron (0 to {j.left - 1}); each has {j.out_degree} edges")
        ax.set_ylabel(f"right neuron (0 to {j.right - 1}); each has {j.in_degree}")
    return drawn


def lanes_of_edges(j: Junction, left: NDArray[np.int64]) -> np.ma.MaskedArray:
    """(right, left): the lane of every edge; masked where there is none."""
    lanes = np.full((j.right, j.left), -1)
    np.put_along_axis(lanes, left, left % j.lanes, axis=1)
    return np.ma.masked_less(lanes, 0)


def _colors(lanes: int) -> ListedColormap:
    """Neighboring lanes in colors that differ: around the palette in steps of the golden ratio."""
    places = 0.08 + 0.84 * (np.arange(lanes) * 0.618 % 1)
    return ListedColormap(colormaps[_PALETTE](places))
