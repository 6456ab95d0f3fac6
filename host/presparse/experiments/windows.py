"""Windows on an image against seeds, at equal edges and on the same lanes, trained as a board trains."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from presparse import opening
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.pattern import PatternKind
from presparse.demo.mnist import EPOCHS, RATE_EXPONENTS
from presparse.experiments.experiment import Experiment, Report, errorbars, of, rows_by
from presparse.experiments.intervals import interval
from presparse.experiments.perceptron import parts, together
from presparse.report.style import BLUE, INK, ORANGE, figure, plain, titled
from presparse.trials.trial import Done, Figures, Trial

KINDS: tuple[PatternKind, ...] = ("windows", "seed per sweep")
NETWORKS: dict[str, tuple[PatternKind, ...]] = {
    "mnist-dey-narrow": KINDS,
    "mnist-dey": KINDS,
    "mnist": KINDS,
    "mnist-windows": KINDS[:1],
}


def plan(seeds: int, done: Done) -> list[Trial]:
    return [
        {"network": name, "pattern": kind, "seed": seed}
        for kind in KINDS
        for name, kinds in NETWORKS.items()
        if kind in kinds
        for seed in range(seeds)
    ]


def run(trial: Trial) -> Figures:
    """The emulator computes every bit of a board."""
    seed, network = int(trial["seed"]), Network.load(str(trial["network"]))
    splits = parts("mnist", seed)
    X, y = together(splits.train, splits.validation)
    kind = next(kind for kind in KINDS if kind == trial["pattern"])
    rates = [2.0**-k for k in RATE_EXPONENTS[network.name]]
    with opening.open("emulator:c", Build(network=network)) as board:
        board.fit(X, y, epochs=EPOCHS, lr=rates, scale="none", pattern=kind, random_state=seed)
        return {"edges": float(network.edges), "test_accuracy": board.score(*splits.test)}


def report(done: Done) -> dict[str, Any]:
    gained: dict[str, dict[str, float | int]] = {}
    for name in (name for name, kinds in NETWORKS.items() if len(kinds) > 1):
        by_kind = [[figures["test_accuracy"] for _, figures in of(done, network=name, pattern=kind)] for kind in KINDS]
        mean, half = interval([100 * (windows - seeds) for windows, seeds in zip(*by_kind, strict=True)])
        gained[name] = {"points_mean": mean, "points_ci95": half, "n": len(by_kind[0])}
    return {"epochs": EPOCHS, "rows": rows_by(done, "network", "pattern"), "points_gained_by_windows": gained}


def picture(found: Report) -> Figure:
    """Test accuracy of every network, one point for each kind of pattern."""
    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    for kind, color, aside in zip(KINDS, (BLUE, ORANGE), (0.08, -0.08), strict=True):
        names = [name for name, kinds in NETWORKS.items() if kind in kinds]
        points = [found["rows"][f"{name} {kind}"] for name in names]
        x = [list(NETWORKS).index(name) + aside for name in names]
        errorbars(axes, x, points, "test_accuracy", color=color, label=kind, joined=False)
    edges = [found["rows"][f"{name} windows"]["edges_mean"] for name in NETWORKS]
    ticks = [f"{name}\n{count:,.0f} edges" for name, count in zip(NETWORKS, edges, strict=True)]
    axes.set_xticks(range(len(NETWORKS)), ticks)
    axes.set_xlim(-0.5, len(NETWORKS) - 0.5)
    axes.set_ylabel("test accuracy (%)")
    titled(axes, f"Test accuracy after {found['epochs']} epochs of MNIST as a board learns it (bars: 95 % confidence)")
    axes.legend(frameon=False, labelcolor=INK, loc="lower right")
    return drawn


WINDOWS = Experiment(
    name="windows",
    seeds=5,
    plan=plan,
    run=run,
    report=report,
    picture=picture,
)
