"""Large and sparse against small and dense, at an equal number of weights."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from presparse.contract.network import Network, densities
from presparse.experiments.experiment import Experiment, Report, errorbars, rows_by
from presparse.experiments.perceptron import parts, together
from presparse.experiments.predefined import error, shaped, trained
from presparse.report.style import BLUE, figure, plain, titled
from presparse.trials.trial import Done, Figures, Trial

WIDTHS = (14, 28, 56, 112, 224)
EDGES = 11_508
"""Of the smallest network, fully connected."""
EPOCHS = 15


def network(width: int) -> Network:
    """784-x-x-x-10 with at most EDGES edges: the last junction is full, the others are equally dense."""
    layers = (784, width, width, width, 10)
    best: Network | None = None
    for out_degree, _ in densities(width, width):
        share = out_degree / width
        possible = [d for d, _ in densities(784, width)]
        first = min(possible, key=lambda d: abs(d / width - share))
        found = shaped(layers, (first, out_degree, out_degree, 10), 784, 10)
        if found.edges <= EDGES and (best is None or found.edges > best.edges):
            best = found
    assert best is not None, "the sparsest network has fewer edges"
    return best


def plan(seeds: int, done: Done) -> list[Trial]:
    return [{"width": width, "seed": seed} for width in WIDTHS for seed in range(seeds)]


def run(trial: Trial) -> Figures:
    seed, shape = int(trial["seed"]), network(int(trial["width"]))
    splits = parts("mnist", seed)
    model = trained(shape, "seed per sweep", together(splits.train, splits.validation), epochs=EPOCHS, seed=seed)
    return {"edges": float(shape.edges), "density": shape.density, "test_accuracy": 1 - error(model, splits.test)}


def report(done: Done) -> dict[str, Any]:
    return {"rows": rows_by(done, "width")}


def picture(found: Report) -> Figure:
    """Test accuracy by width; the number of edges stays about the same."""
    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    points = list(found["rows"].values())
    errorbars(axes, range(len(points)), points, "test_accuracy", color=BLUE)
    names = [f"{width}\n{p['density_mean']:.1%}\n{p['edges_mean']:,.0f} edges" for width, p in found["rows"].items()]
    axes.set_xticks(range(len(points)), names)
    axes.set_xlabel("neurons x of each hidden layer, density, edges")
    axes.set_ylabel("test accuracy (%)")
    title = "Test accuracy of about equally many edges, by width: 784-x-x-x-10 on MNIST (bars: 95 % confidence)"
    titled(axes, title)
    return drawn


LARGE_SPARSE = Experiment(
    name="large-sparse",
    seeds=3,
    plan=plan,
    run=run,
    report=report,
    picture=picture,
)
