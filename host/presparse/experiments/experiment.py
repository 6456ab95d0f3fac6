"""What an experiment is: trials to make, and what they say together.

Every trial is one training with one seed, described by plain values; its figures go into a journal at once, so that an
experiment that is cut off goes on where it was. Hyper-parameters are chosen on validation data: an experiment plans
its selecting trials first, and the trials whose test accuracy is reported when those are done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from presparse.experiments.intervals import interval
from presparse.trials.trial import Done, Figures, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Report = Mapping[str, Any]
"""What an experiment found: `rows` maps a name to figures, each with _mean, _ci95 (half the width) and _n."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A question to networks, which `catalogue` has in words."""

    name: str
    seeds: int
    """How many seeds it takes, if nobody says otherwise."""
    plan: Callable[[int, Done], list[Trial]]
    """Seeds and the trials that are done, from the first on -> all trials that are known by now; the same ones in the
    beginning."""
    run: Callable[[Trial], Figures]
    report: Callable[[Done], dict[str, Any]]
    """A `Report`, as plain data: it is kept as JSON."""
    picture: Callable[[Report], Figure]
    """Drawn from the report alone, so that a kept one can be drawn again."""


def of(done: Done, **wanted: object) -> Done:
    """The trials with these values."""
    return [(trial, figures) for trial, figures in done if all(trial.get(key) == wanted[key] for key in wanted)]


def choose_then_report(choosing: list[Trial], done: Done, *keys: str, chosen: Callable[[Done], float]) -> list[Trial]:
    """The choosing trials, and when they are done a reporting one for each combination of values.

    It has the strength that `chosen` takes of the trials with these values. Phases are "choose" and "report".
    """
    if len(done) < len(choosing):
        return choosing
    reporting: list[Trial] = []
    for values in dict.fromkeys(tuple(trial[key] for key in keys) for trial in choosing):
        own = of(done, phase="choose", **dict(zip(keys, values, strict=True)))
        reporting.append({**own[0][0], "strength": chosen(own), "phase": "report"})
    return [*choosing, *reporting]


def row(done: Done, names: Iterable[str] | None = None) -> dict[str, float | int]:
    """Means of figures over trials, with the half-width of their 95 % confidence interval, and how many there are."""
    found: dict[str, float | int] = {}
    for name in names or (done[0][1] if done else ()):
        mean, half = interval([figures[name] for _, figures in done])
        found |= {f"{name}_mean": mean, f"{name}_ci95": half}
    return found | {"n": len(done)}


def errorbars(
    axes: Axes,
    x: Sequence[float],
    rows: Sequence[Mapping[str, float]],
    figure: str,
    *,
    color: str,
    label: str | None = None,
    joined: bool = True,
) -> None:
    """The means of a figure in per cent, row by row, each with its confidence interval."""
    axes.errorbar(
        x,
        [100 * row[f"{figure}_mean"] for row in rows],
        [100 * row[f"{figure}_ci95"] for row in rows],
        color=color,
        marker="o",
        markersize=6 if joined else 8,
        linestyle="-" if joined else "none",
        capsize=4,
        label=label,
    )


def rows_by(done: Done, *keys: str) -> dict[str, dict[str, float | int]]:
    """One row for each combination of values, named by them."""
    names = dict.fromkeys(tuple(trial[key] for key in keys) for trial, _ in done)
    return {
        " ".join(str(value) for value in name): row(of(done, **dict(zip(keys, name, strict=True)))) for name in names
    }
