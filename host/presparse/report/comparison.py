"""Kinds of patterns compared: one small plot per measure, a point for each kind with its spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from presparse.patterns import Comparison
from presparse.report.style import BLUE, INK, LINE, figure, plain

_COLUMNS = 4


def comparison(table: Sequence[Comparison], junction: int) -> Figure:
    """The measures of one junction (1 .. L), or with 0 those of the whole network."""
    lines = [line for line in table if line.junction == junction]
    measures = list(dict.fromkeys(line.measure for line in lines))
    kinds = list(dict.fromkeys(line.kind for line in lines))
    rows = -(-len(measures) // _COLUMNS)
    drawn = figure(11, 0.4 + rows * (0.7 + 0.25 * len(kinds)))
    axes = drawn.subplots(rows, _COLUMNS, squeeze=False, sharey=True)
    for ax in axes.flat:
        ax.set_axis_off()
    for measure, ax in zip(measures, axes.flat, strict=False):
        ax.set_axis_on()
        plain(ax, grid=False)
        ax.grid(axis="y", color=LINE, linewidth=1)
        shown = [line for line in lines if line.measure == measure]
        ax.errorbar(
            [line.mean for line in shown],
            [kinds.index(line.kind) for line in shown],
            xerr=[line.deviation for line in shown],
            fmt="o",
            color=BLUE,
            ecolor=BLUE,
            markersize=5,
            elinewidth=2,
        )
        ax.margins(x=0.15, y=0.2)
        ax.set_title(measure, loc="left", color=INK, fontsize=10)
        ax.set_yticks(range(len(kinds)), kinds, color=INK)
    axes[0, 0].invert_yaxis()  # for all: they share it
    return drawn
