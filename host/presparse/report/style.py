"""How every picture looks, and how a figure becomes PNG."""

from __future__ import annotations

import io
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1f2933"
SOFT = "#7b8794"
LINE = "#e4e7eb"
BLUE = "#2364aa"
ORANGE = "#e07a1f"
GREEN = "#2a9d6f"
RED = "#c8443c"


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; no global state of matplotlib is touched."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def plain(axes: Axes, *, grid: bool = True) -> Axes:
    """Only what is needed: no frame, faint grid lines behind."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=SOFT)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis="y", color=LINE, linewidth=1)
    return axes


def titled(axes: Axes, title: str) -> None:
    """A title above the left edge, in lines that a figure of 6.6 inches holds."""
    axes.set_title(fill(title, 76), loc="left", color=INK, fontsize=10)


def png(drawn: Figure) -> bytes:
    """The figure as a PNG file, which says who made it: commands know their own pictures by that."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=160, metadata={"Software": "Presparse"})
    return buffer.getvalue()
