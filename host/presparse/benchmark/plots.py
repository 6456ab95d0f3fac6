"""Pictures of a report: all speeds side by side, how cost grows, and when a sparse layer pays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import StrMethodFormatter

from presparse.benchmark.growth import Axis, Point
from presparse.benchmark.report import TUNED, Report
from presparse.benchmark.rounds import three_digits
from presparse.benchmark.sparse_linear import DENSITIES, Comparison
from presparse.report.style import BLUE, GREEN, INK, ORANGE, RED, figure, plain, png
from presparse.support import atomic_files

_AXES: dict[Axis, str] = {"edges": "edges (number)", "lanes": "lanes (number)", "layers": "hidden layers (number)"}


def draw(report: Report, folder: Path) -> list[Path]:
    """Write speeds.png, and growth.png and layers.png if they were measured, into a folder that exists."""
    drawn = {"speeds.png": speeds(report)}
    if report.growth:
        drawn["growth.png"] = growth(report.growth)
    if report.layers:
        drawn["layers.png"] = layers(report.layers)
    for name, picture in drawn.items():
        atomic_files.write(folder / name, png(picture))
    return [folder / name for name in drawn]


def speeds(report: Report) -> Figure:
    """One bar per row of the table that has a speed, on a logarithmic axis; the color says how it was found."""
    rows = [row for row in report.rows if row.samples_per_second][::-1]
    drawn = figure(11, 1.8 + 0.42 * len(rows))
    ax = plain(drawn.subplots(), grid=False)
    values = [row.samples_per_second or 0.0 for row in rows]
    colors = [BLUE if row.calculated else RED if row.name == TUNED else ORANGE for row in rows]
    ax.barh([row.name for row in rows], values, color=colors, height=0.62)
    for place, value in enumerate(values):
        ax.annotate(f" {three_digits(value)}", (value, place), va="center", color=INK)
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.set_xlim(min(values) / 3, max(values) * 4)
    ax.set_xlabel("trained samples per second (logarithmic)")
    ax.set_title(f"Training speed, network {report.network}", loc="left", color=INK)
    keys = {
        BLUE: "calculated from cycles or bytes per sample and a board's clock or baud rate: no board ran it",
        RED: "timed: what everything is compared with",
        ORANGE: f"timed, on {report.machine.processor}",
    }
    drawn.legend(
        handles=[Patch(color=color, label=label) for color, label in keys.items()],
        loc="outside lower center",
        ncols=1,
        frameon=False,
        labelcolor=INK,
    )
    return drawn


def growth(points: Sequence[Point]) -> Figure:
    """A column per axis: cycles and multipliers of the core above, seconds of a PC below."""
    drawn = figure(12, 6.8)
    grid = drawn.subplots(2, len(_AXES), sharey="row")
    for column, (axis, label) in enumerate(_AXES.items()):
        own = [point for point in points if point.axis == axis]
        x = [{"edges": p.edges, "lanes": p.lanes, "layers": p.hidden_layers}[axis] for p in own]
        above, below = plain(grid[0][column]), plain(grid[1][column])
        above.plot(x, [p.cycles_per_sample for p in own], "o-", color=BLUE, label="cycles per sample")
        above.plot(x, [p.multipliers for p in own], "s-", color=GREEN, label="multipliers")
        below.plot(x, [1e6 * p.plain_c_seconds for p in own], "o-", color=ORANGE, label="plain C")
        below.plot(x, [1e6 * p.eager_seconds for p in own], "s-", color=RED, label="PyTorch eager")
        for ax in (above, below):
            ax.set_yscale("log")
            if axis != "layers":
                ax.set_xscale("log")
            ax.minorticks_off()
            ax.set_xticks(x, [f"{value:,}" for value in x], fontsize=9)
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        below.set_xlabel(label)
    grid[0][0].set_ylabel("the core: cycles, multipliers (number)")
    grid[1][0].set_ylabel("a PC: µs per trained sample")
    for row in grid:  # beside the curves, where none runs
        row[-1].legend(frameon=False, labelcolor=INK, loc="center left", bbox_to_anchor=(1, 0.5))
    return drawn


def layers(compared: Sequence[Comparison]) -> Figure:
    """How many times as fast as a masked dense layer `SparseLinear` is, and how much memory it takes, by density."""
    drawn = figure(10, 4.6)
    speed, memory = (plain(ax) for ax in drawn.subplots(1, 2))
    sizes = sorted({(one.left, one.right) for one in compared})
    # Where the curves of both sizes meet, the one behind is wider and shows on both sides.
    for size, color, width, marker in zip(sizes, (BLUE, ORANGE), (5, 1.6), (9, 5), strict=True):
        own = [one for one in compared if (one.left, one.right) == size]
        x = [100 * one.density for one in own]
        name = f"{size[0]} → {size[1]}"
        look = {"color": color, "linewidth": width, "markersize": marker, "alpha": 0.55 if width > 2 else 1}
        speed.plot(x, [one.times_pass for one in own], "o--", label=f"{name}, forward", **look)
        speed.plot(x, [one.times_step for one in own], "o-", label=f"{name}, forward and backward", **look)
        share = [
            (one.sparse.held_bytes + one.sparse.saved_bytes) / (one.masked.held_bytes + one.masked.saved_bytes)
            for one in own
        ]
        memory.plot(x, [100 * each for each in share], "o-", label=name, **look)
    speed.set_yscale("log")
    speed.set_yticks([0.5, 1, 2, 5, 10], ["0.5 x", "1 x", "2 x", "5 x", "10 x"])
    for ax, equal in ((speed, 1), (memory, 100)):
        ax.axhline(equal, color=INK, linewidth=0.8)
        ax.set_xscale("log")
        ax.set_xticks([100 * density for density in DENSITIES], [f"{100 * density:.0f}" for density in DENSITIES])
        ax.minorticks_off()
        ax.set_xlabel("density (% of all edges)")
        ax.legend(frameon=False, labelcolor=INK, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    speed.set_ylabel("speed, times that of dense with a mask")
    memory.set_ylabel("memory (% of dense with a mask)")
    return drawn
