"""The front as a picture: accuracy over speed."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from presparse.model_search.found import Entry, Found
from presparse.report.style import BLUE, INK, LINE, ORANGE, SOFT, figure, plain, titled

_WEIGHTS = (1e-4, 1.0)
"""That are looked at: below them accuracy alone counts, above them speed."""
_NEXT = 1.5
"""Times as fast: the names of two networks as near as that do not stand side by side."""
_SHOWN_BELOW = 0.25
"""Of the accuracy's range that the front takes: so much lower a network may be and still be drawn."""


def front(found: Found, board: str, *, width: float = 9.0) -> Figure:
    """Every network that was tried in grey, the front in blue and named, networks that ship with Presparse in orange.

    Bars are 95 % confidence intervals. Every point of the front is a group of its own, called `net-N` in SVG.
    """
    drawn = figure(width, 5.2)
    axes = plain(drawn.subplots())
    axes.grid(axis="x", color=LINE, linewidth=1)
    if found.tried:
        axes.scatter(
            [speed for _, speed in found.tried],
            [100 * accuracy for accuracy, _ in found.tried],
            s=12,
            color=SOFT,
            alpha=0.35,
            linewidths=0,
            label="tried (on the samples they are chosen by)",
        )
    _points(axes, found.front, BLUE, "the front", "net")
    _points(axes, found.references, ORANGE, "come with Presparse", "shipped")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("samples per second of the core")
    axes.set_ylabel("right answers on the test part (%), 95 % confidence")
    axes.set_ylim(*_range([*found.front, *found.references]))
    _names(axes, found.front, found.references)
    titled(axes, f"Networks for {board}: higher is more accurate, further right is faster")
    axes.legend(frameon=False, labelcolor=INK, loc="lower left")
    return drawn


def weights(found: Found) -> Figure:
    """Which network of the front Dey's f takes, for every weight of complexity: its accuracy, and its speed."""
    drawn = figure(6.6, 4.6)
    above, below = (plain(axes) for axes in drawn.subplots(2, 1, sharex=True))
    w = np.geomspace(_WEIGHTS[0], _WEIGHTS[1], 2000)
    taken = [found.best(weight=float(each)) for each in w]
    above.plot(w, [100 * entry.accuracy for entry in taken], color=BLUE, linewidth=2)
    below.plot(w, [entry.speed for entry in taken], color=ORANGE, linewidth=2)
    below.set_yscale("log")
    below.set_xscale("log")
    below.yaxis.set_major_formatter(EngFormatter(sep=""))
    below.yaxis.set_minor_formatter(NullFormatter())
    above.set_ylabel("right answers (%)")
    below.set_ylabel("samples per second")
    below.set_xlabel("w, the weight of complexity")
    changes = [0, *(n for n in range(1, len(w)) if taken[n] is not taken[n - 1])]
    for first, last in zip(changes, [*changes[1:], len(w)], strict=True):
        middle = float(np.sqrt(w[first] * w[last - 1]))
        above.annotate(
            taken[first].name,
            (middle, 100 * taken[first].accuracy),
            xytext=(0, 5),
            ha="center",
            textcoords="offset points",
            color=INK,
            fontsize=8,
        )
    above.margins(y=0.2)
    titled(above, "The network with the least f = wrong answers + w x time of a sample")
    return drawn


def svg(drawn: Figure) -> str:
    """The figure as an element of a page, without the heading that a file has."""
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _points(axes: Axes, entries: Sequence[Entry], color: str, label: str, group: str) -> None:
    if group == "net" and len(entries) > 1:
        axes.plot([e.speed for e in entries], [100 * e.accuracy for e in entries], color=color, linewidth=1.2, zorder=2)
    for number, entry in enumerate(entries):
        x, y = entry.speed, 100 * entry.accuracy
        bars = axes.errorbar(x, y, 100 * entry.interval, color=color, capsize=4, linewidth=1.4, zorder=3)
        for part in bars.get_children():
            part.set_label("_")
        (point,) = axes.plot(
            x, y, "o", color=color, markersize=9, zorder=4, linestyle="none", label=label if number == 0 else "_"
        )
        point.set_gid(f"{group}-{number}")


def _names(axes: Axes, front: Sequence[Entry], references: Sequence[Entry]) -> None:
    """Of the front above the bars, or below where the slower neighbor is near and has its name above; of others, which
    the front is above or right of, on the left."""
    low, high = axes.get_ylim()
    before, above = 0.0, False
    for entry in front:
        above = not (above and entry.speed < _NEXT * before)
        before = entry.speed
        end = 100 * (entry.accuracy + (entry.interval if above else -entry.interval))
        up = end <= high if above else end < low  # else downwards: never out of the picture
        _name(axes, entry, min(max(end, low), high), (0, 4 if up else -4), BLUE, "center", "bottom" if up else "top")
    for entry in references:
        _name(axes, entry, 100 * entry.accuracy, (-8, 0), ORANGE, "right", "center")


def _name(axes: Axes, entry: Entry, y: float, beside: tuple[int, int], color: str, ha: str, va: str) -> None:
    axes.annotate(
        entry.name, (entry.speed, y), beside, textcoords="offset points", ha=ha, va=va, color=color, fontsize=8
    )


def _range(entries: Sequence[Entry]) -> tuple[float, float]:
    """Of accuracies that are drawn, in per cent: the front fills the picture, whatever else was tried."""
    if not entries:
        return 0.0, 100.0
    low, high = (f([100 * e.accuracy for e in entries]) for f in (min, max))
    spare = max((high - low) * _SHOWN_BELOW, 1.0)
    return max(0.0, low - spare), min(100.0, high + spare)
