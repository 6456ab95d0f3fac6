"""Redundant features tolerate more sparsity: the same network on features with redundancy taken out, and put in."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from presparse.data import Splits
from presparse.experiments.experiment import Experiment, Report, errorbars, rows_by
from presparse.experiments.perceptron import each_part, parts, together
from presparse.experiments.predefined import error, shaped, trained
from presparse.report.style import BLUE, GREEN, INK, ORANGE, figure, plain, titled
from presparse.trials.trial import Done, Figures, Trial

FEATURES = {"twice": 1600, "pixels": 800, "components": 50}
"""Neurons of the first layer: every pixel twice, every pixel, the 50 largest principal components."""
DENSITIES = (0.02, 0.04, 0.1, 0.2, 0.5, 1.0)
HIDDEN, EPOCHS = 100, 12

_NAMES = {"twice": "784 pixels, each twice", "pixels": "784 pixels", "components": "50 principal components"}


def plan(seeds: int, done: Done) -> list[Trial]:
    return [
        {"features": features, "density": density, "seed": seed}
        for features in FEATURES
        for density in DENSITIES
        for seed in range(seeds)
    ]


def run(trial: Trial) -> Figures:
    """The first junction has the density, the second all its edges."""
    seed, features = int(trial["seed"]), str(trial["features"])
    splits = with_features(features, seed)
    network = shaped(
        (FEATURES[features], HIDDEN, 10),
        (round(float(trial["density"]) * HIDDEN), 10),
        splits.train[0].shape[1],
        10,
    )
    model = trained(network, "seed per sweep", together(splits.train, splits.validation), epochs=EPOCHS, seed=seed)
    return {"edges": float(network.edges), "test_accuracy": 1 - error(model, splits.test)}


@lru_cache(maxsize=1)  # MNIST takes half a gigabyte
def with_features(features: str, seed: int) -> Splits:
    """MNIST's parts; components are those of the training part, brought to -1 .. 1."""
    splits = parts("mnist", seed)
    if features == "pixels":
        return splits
    if features == "twice":
        return each_part(splits, lambda X: np.tile(X, (1, 2)))
    components = PCA(FEATURES[features], random_state=seed).fit(splits.train[0])
    largest = float(np.abs(components.transform(splits.train[0])).max())
    return each_part(splits, lambda X: components.transform(X) / largest)


def report(done: Done) -> dict[str, Any]:
    rows = rows_by(done, "features", "density")
    lost = {
        features: 100
        * (rows[f"{features} 1.0"]["test_accuracy_mean"] - rows[f"{features} {DENSITIES[0]}"]["test_accuracy_mean"])
        for features in FEATURES
    }
    return {"hidden": HIDDEN, "rows": rows, f"points_lost_at_{DENSITIES[0]:.0%}": lost}


def picture(found: Report) -> Figure:
    """Accuracy lost against density, one line for each kind of features."""
    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    for features, color in zip(FEATURES, (GREEN, BLUE, ORANGE), strict=True):
        points = [found["rows"][f"{features} {density}"] for density in DENSITIES]
        dense = points[-1]["test_accuracy_mean"]
        lost = [p | {"test_accuracy_mean": p["test_accuracy_mean"] - dense} for p in points]
        label = f"{_NAMES[features]} ({100 * dense:.1f} % dense)"
        errorbars(axes, [100 * density for density in DENSITIES], lost, "test_accuracy", color=color, label=label)
    axes.set_xscale("log")
    axes.set_xticks([100 * d for d in DENSITIES], [f"{100 * d:.3g}" for d in DENSITIES])
    axes.minorticks_off()
    axes.set_xlabel("density of junction 1 (%)")
    axes.set_ylabel("test accuracy, points beside the dense network")
    title = "Test accuracy against density of junction 1, by kind of features: MNIST (bars: 95 % confidence)"
    titled(axes, title)
    axes.legend(frameon=False, labelcolor=INK)
    return drawn


REDUNDANCY = Experiment(
    name="redundancy",
    seeds=3,
    plan=plan,
    run=run,
    report=report,
    picture=picture,
)
