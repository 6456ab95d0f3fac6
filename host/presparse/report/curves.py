"""Training curves: accuracy on held-out samples after every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from presparse.report.style import INK, SOFT, figure, plain


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Accuracies (0 to 1) after epochs `first`, `first` + 1, ..."""

    name: str
    color: str
    accuracies: Sequence[float]
    first: int = 1


def curves(lines: Sequence[Curve], *, measured: str = "right answers on held-out digits (%)") -> Figure:
    """One line per curve; the key below has where each ends."""
    drawn = figure(6.6, 4.8)
    ax = plain(drawn.subplots())
    last = max(line.first + len(line.accuracies) - 1 for line in lines)
    for line in lines:
        epochs = range(line.first, line.first + len(line.accuracies))
        percent = [100 * a for a in line.accuracies]
        name = f"{line.name}: {line.accuracies[-1]:.1%}"
        ax.plot(epochs, percent, color=line.color, linewidth=2.4, solid_capstyle="round", label=name)
        ax.plot(epochs[-1], percent[-1], "o", color=line.color, markersize=7)
    worst = min(100 * sorted(line.accuracies)[len(line.accuracies) // 8] for line in lines)
    ax.set_ylim(max(0.0, worst - 3), 100)
    ax.set_xlim(0.5, last + 0.5)
    ax.set_xlabel("epoch", color=INK, fontsize=12)
    ax.set_ylabel(measured, fontsize=12)
    ax.set_xticks([1, *range(5, last + 1, 5)])
    ax.tick_params(colors=SOFT, labelsize=12)
    drawn.legend(loc="outside lower center", ncols=min(2, len(lines)), frameon=False, labelcolor=INK, fontsize=12)
    return drawn
