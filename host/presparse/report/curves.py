"""Training curves: accuracy on held-out samples after every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.figure import Figure

from presparse.report.style import INK, SOFT, figure, plain


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Accuracies (0 to 1) after epochs `first`, `first` + 1, ..."""

    name: str
    color: str
    accuracies: Sequence[float]
    first: int = 1


def curves(lines: Sequence[Curve]) -> Figure:
    """One line per curve, named at its right end."""
    drawn = figure(11, 4.2)
    ax = plain(drawn.subplots())
    last = max(line.first + len(line.accuracies) - 1 for line in lines)
    for line in lines:
        epochs = range(line.first, line.first + len(line.accuracies))
        percent = [100 * a for a in line.accuracies]
        ax.plot(epochs, percent, color=line.color, linewidth=2, solid_capstyle="round")
        ax.plot(epochs[-1], percent[-1], "o", color=line.color, markersize=6)
    worst = min(100 * sorted(line.accuracies)[len(line.accuracies) // 8] for line in lines)
    floor = max(0.0, worst - 3)
    ax.set_ylim(floor, 100)
    ax.set_xlim(0.5, last * 1.28)
    for line, height in zip(
        lines, _apart([100 * line.accuracies[-1] for line in lines], (100 - floor) / 14), strict=True
    ):
        end = line.first + len(line.accuracies) - 1
        ax.annotate(
            f"{line.name}  {line.accuracies[-1]:.1%}",
            (end, 100 * line.accuracies[-1]),
            (last * 1.03, height),
            color=line.color,
            va="center",
            fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": line.color, "alpha": 0.35, "linewidth": 1},
        )
    ax.set_xlabel("epoch", color=INK)
    ax.set_ylabel("right answers on held-out digits, %")
    ax.set_xticks([1, *range(5, last + 1, 5)])
    ax.tick_params(colors=SOFT)
    return drawn


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """The same heights, moved as far apart as labels need, in the same order."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = list(heights)
    for lower, upper in pairwise(order):
        placed[upper] = max(placed[upper], placed[lower] + least)
    shift = (sum(placed) - sum(heights)) / len(placed)
    return [height - shift for height in placed]
