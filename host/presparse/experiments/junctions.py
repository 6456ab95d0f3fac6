"""A fixed number of edges, split between junctions: which of them need more?"""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from presparse.experiments.experiment import Experiment, Report, errorbars, rows_by
from presparse.experiments.perceptron import parts, together
from presparse.experiments.predefined import error, shaped, trained
from presparse.report.style import BLUE, figure, plain, titled
from presparse.trials.trial import Done, Figures, Trial

LAYERS = (800, 100, 100, 10)
SPLITS = ((1, 70, 10), (3, 54, 10), (5, 40, 8), (7, 27, 5), (9, 14, 2), (10, 7, 1))
"""Out-degrees of the three junctions; every split has 8,800 edges."""
EPOCHS = 12


def plan(seeds: int, done: Done) -> list[Trial]:
    return [{"degrees": "-".join(map(str, degrees)), "seed": seed} for degrees in SPLITS for seed in range(seeds)]


def run(trial: Trial) -> Figures:
    seed = int(trial["seed"])
    network = shaped(LAYERS, [int(d) for d in str(trial["degrees"]).split("-")], 784, 10)
    splits = parts("mnist", seed)
    model = trained(network, "seed per sweep", together(splits.train, splits.validation), epochs=EPOCHS, seed=seed)
    densities = {f"density_{j.index}": j.density for j in network.junctions}
    return {"edges": float(network.edges), **densities, "test_accuracy": 1 - error(model, splits.test)}


def report(done: Done) -> dict[str, Any]:
    return {"network": list(LAYERS), "rows": rows_by(done, "degrees")}


def picture(found: Report) -> Figure:
    """Test accuracy, by where the edges are."""
    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    points = list(found["rows"].values())
    errorbars(axes, range(len(points)), points, "test_accuracy", color=BLUE)
    names = [" / ".join(f"{100 * p[f'density_{i}_mean']:.3g}" for i in (1, 2, 3)) for p in points]
    axes.set_xticks(range(len(points)), names)
    axes.set_xlabel("density of junctions 1 / 2 / 3 (%), 8,800 edges in all")
    axes.set_ylabel("test accuracy (%)")
    title = "Test accuracy by the densities of three junctions: 800-100-100-10 on MNIST (bars: 95 % confidence)"
    titled(axes, title)
    return drawn


JUNCTIONS = Experiment(
    name="junctions",
    seeds=3,
    plan=plan,
    run=run,
    report=report,
    picture=picture,
)
