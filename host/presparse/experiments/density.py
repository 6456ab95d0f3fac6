"""Accuracy against density, for clash-free, structured and random patterns."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from presparse.experiments.experiment import Experiment, Report, errorbars, of, row, rows_by
from presparse.experiments.perceptron import parts, together
from presparse.experiments.predefined import error, shaped, trained
from presparse.patterns import Kind
from presparse.report.style import BLUE, INK, ORANGE, SOFT, figure, plain, titled
from presparse.trials.trial import Done, Figures, Trial

LAYERS = (800, 100, 10)
DEGREES = ((1, 5), (2, 10), (5, 10), (10, 10), (19, 10), (50, 10), (100, 10))
"""Out-degrees of both junctions, sparsest first; the last is the fully connected network."""
KINDS: tuple[Kind, ...] = ("seed per sweep", "structured", "random")
EPOCHS = 12

_NAMES = {"seed per sweep": "clash-free", "structured": "structured", "random": "random"}


def plan(seeds: int, done: Done) -> list[Trial]:
    trials: list[Trial] = []
    for first, second in DEGREES:
        full = first == LAYERS[1]
        trials += [
            {"first": first, "second": second, "pattern": kind, "seed": seed}
            for kind in (KINDS[:1] if full else KINDS)
            for seed in range(seeds)
        ]
    return trials


def run(trial: Trial) -> Figures:
    seed = int(trial["seed"])
    network = shaped(LAYERS, (int(trial["first"]), int(trial["second"])), 784, 10)
    splits = parts("mnist", seed)
    kind: Kind = next(kind for kind in KINDS if kind == trial["pattern"])
    model = trained(network, kind, together(splits.train, splits.validation), epochs=EPOCHS, seed=seed)
    return {"density": network.density, "test_accuracy": 1 - error(model, splits.test)}


def report(done: Done) -> dict[str, Any]:
    rows = {
        f"{_NAMES[str(kind)]} {figures['density_mean']:.1%}": figures
        for kind in KINDS
        for figures in rows_by(of(done, pattern=kind), "first").values()
    }
    full = row(of(done, first=LAYERS[1]))
    fifth = row(of(done, first=19, pattern=KINDS[0]))
    return {
        "network": list(LAYERS),
        "rows": rows,
        "points_lost_at_20_percent": 100 * (full["test_accuracy_mean"] - fifth["test_accuracy_mean"]),
    }


def picture(found: Report) -> Figure:
    """Test accuracy against density, one line for each kind of pattern."""
    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    full = [figures for figures in found["rows"].values() if figures["density_mean"] == 1]
    # A little aside of one another, or the last would cover the others.
    for kind, color, aside in zip(_NAMES.values(), (BLUE, ORANGE, SOFT), (0.97, 1, 1.03), strict=True):
        points = [figures for name, figures in found["rows"].items() if name.startswith(f"{kind} ")]
        points += [] if points[-1] in full else full  # one network has every edge, however its pattern is drawn
        x = [100 * aside * p["density_mean"] for p in points]
        errorbars(axes, x, points, "test_accuracy", color=color, label=kind)
    axes.set_xscale("log")
    ticks = sorted({100 * figures["density_mean"] for figures in found["rows"].values()})
    axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("density (% of all edges)")
    axes.set_ylabel("test accuracy (%)")
    title = "Test accuracy against density, by kind of pattern: 800-100-10 on MNIST (bars: 95 % confidence)"
    titled(axes, title)
    axes.legend(frameon=False, labelcolor=INK)
    return drawn


DENSITY = Experiment(
    name="density",
    seeds=3,
    plan=plan,
    run=run,
    report=report,
    picture=picture,
)
