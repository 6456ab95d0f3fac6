"""Windows on an image against seeds, at equal edges and on the same lanes, and on images that are moved; trained as a
board trains."""

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
from presparse.report.style import BLUE, GREEN, INK, ORANGE, figure, plain, titled
from presparse.trials.trial import Done, Figures, Trial

WAYS: dict[str, tuple[PatternKind, int]] = {
    "windows, moved": ("windows", 1),
    "windows": ("windows", 0),
    "seed per sweep": ("seed per sweep", 0),
}
"""Pattern, and by how many pixels images are moved at most."""
NETWORKS = {
    "mnist-dey-narrow": tuple(WAYS),
    "mnist-dey": tuple(WAYS),
    "mnist": tuple(WAYS),
    "mnist-windows": ("windows, moved", "windows"),
}


def plan(seeds: int, done: Done) -> list[Trial]:
    return [
        {"network": name, "way": way, "seed": seed}
        for way in WAYS
        for name, ways in NETWORKS.items()
        if way in ways
        for seed in range(seeds)
    ]


def run(trial: Trial) -> Figures:
    """The emulator computes every bit of a board."""
    seed, network = int(trial["seed"]), Network.load(str(trial["network"]))
    splits = parts("mnist", seed)
    X, y = together(splits.train, splits.validation)
    pattern, shift = WAYS[str(trial["way"])]
    rates = [2.0**-k for k in RATE_EXPONENTS[network.name]]
    with opening.open("emulator:c", Build(network=network)) as board:
        board.fit(X, y, epochs=EPOCHS, lr=rates, scale="none", pattern=pattern, shift=shift, random_state=seed)
        return {"edges": float(network.edges), "test_accuracy": board.score(*splits.test)}


def report(done: Done) -> dict[str, Any]:
    return {
        "epochs": EPOCHS,
        "rows": rows_by(done, "network", "way"),
        "points_gained_by_windows": _gained(done, "windows", "seed per sweep"),
        "points_gained_by_moving": _gained(done, "windows, moved", "windows"),
    }


def _gained(done: Done, better: str, other: str) -> dict[str, dict[str, float | int]]:
    """By network that was trained both ways; seeds are compared with themselves."""
    gained: dict[str, dict[str, float | int]] = {}
    for name in (name for name, ways in NETWORKS.items() if {better, other} <= set(ways)):
        pairs = zip(of(done, network=name, way=better), of(done, network=name, way=other), strict=True)
        points = [100 * (more["test_accuracy"] - less["test_accuracy"]) for (_, more), (_, less) in pairs]
        mean, half = interval(points)
        gained[name] = {"points_mean": mean, "points_ci95": half, "n": len(points)}
    return gained


def picture(found: Report) -> Figure:
    """Test accuracy of every network, one point for each way."""
    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    for way, color, aside in zip(WAYS, (GREEN, BLUE, ORANGE), (0.12, 0.0, -0.12), strict=True):
        names = [name for name, ways in NETWORKS.items() if way in ways]
        points = [found["rows"][f"{name} {way}"] for name in names]
        x = [list(NETWORKS).index(name) + aside for name in names]
        errorbars(axes, x, points, "test_accuracy", color=color, label=way, joined=False)
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
