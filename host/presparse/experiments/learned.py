"""Pre-defined against learned patterns: equal edges, the same network on the lanes, both in the board's integers.

A learned pattern comes from a dense network of the same layers, trained with a proximal penalty; what is left is
bank-balanced and refitted (`presparse.prune.lanes`). The pre-defined one trains from scratch for as many epochs as
dense network and refit have together, and for as many as the refit alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure

from presparse.contract.network import Network
from presparse.data import Data
from presparse.experiments.experiment import Experiment, Report, errorbars, rows_by
from presparse.experiments.perceptron import accuracy, parts, perceptron, together
from presparse.prune import compact, fine_tune
from presparse.prune.lanes import to_lanes
from presparse.report.style import BLUE, GREEN, INK, ORANGE, figure, plain, titled
from presparse.sparsity import ProximalOptimizer, SparseGroupLasso, left_over
from presparse.train import QuantizedNetwork, fit
from presparse.trials.trial import Done, Figures, Trial

ROWS = ("pre-defined", "pre-defined, longer", "learned")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One data set, the network that all rows end on, and how they are trained."""

    source: str
    network: str
    strength: float
    """Of the sparse group lasso on the dense network."""
    dense: int
    """Epochs of the dense network."""
    refit: int
    """Epochs in the board's numbers."""
    batch: int
    rate: float
    """Of the training in the board's numbers."""


DIGITS = Setting(source="digits", network="digits-small", strength=1e-3, dense=100, refit=40, batch=32, rate=5e-3)
MNIST = Setting(source="mnist", network="mnist", strength=1e-5, dense=12, refit=10, batch=128, rate=5e-3)


def plan(setting: Setting, seeds: int, done: Done) -> list[Trial]:
    return [{"row": name, "seed": seed} for name in ROWS for seed in range(seeds)]


def run(setting: Setting, trial: Trial) -> Figures:
    """Nothing is chosen, so that training and validation part are learned from together."""
    seed, network = int(trial["seed"]), Network.load(setting.network)
    splits = parts(setting.source, seed)
    learn = together(splits.train, splits.validation)
    if trial["row"] == "learned":
        return learned(setting, network, learn, splits.test, seed)
    epochs = setting.refit + (setting.dense if "longer" in str(trial["row"]) else 0)
    model = fit(
        network,
        *learn,
        epochs=epochs,
        batch_size=setting.batch,
        lr=setting.rate,
        random_state=seed,
        pattern="seed per sweep",
        scale="overall",
    )
    return {
        "edges": float(network.edges),
        "test_accuracy": QuantizedNetwork.from_model(model).score(*splits.test),
    }


def learned(setting: Setting, network: Network, learn: Data, test: Data, seed: int) -> Figures:
    sizes = (network.features, *network.layers[1:-1], network.classes)
    model = perceptron(sizes, seed)
    steps = setting.dense * -(-len(learn[1]) // setting.batch)
    optimizer = ProximalOptimizer(
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        SparseGroupLasso(setting.strength).on(model),
        warm_up=steps // 20,
    )
    fine_tune(
        model,
        *learn,
        epochs=setting.dense,
        batch_size=setting.batch,
        optimizer=optimizer,
        keep_zeros=False,
        random_state=seed,
    )
    left = left_over(model)
    found = to_lanes(
        compact(model),
        *learn,
        network=network,
        measure=test,
        epochs=setting.refit,
        batch_size=setting.batch,
        lr=setting.rate,
        random_state=seed,
    )
    return {
        "edges": float(network.edges),
        "test_accuracy": found.stages[-1].accuracy,
        "dense_accuracy": accuracy(model, test),
        "exact_zeros": left.exact_zeros,
        "bank_balanced_accuracy": found.stages[1].accuracy,
    }


def report(setting: Setting, done: Done) -> dict[str, Any]:
    return {"network": setting.network, "rows": rows_by(done, "row")}


def picture(setting: Setting, found: Report) -> Figure:
    """Test accuracy of each row."""
    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    for place, (name, color) in enumerate(zip(ROWS, (BLUE, GREEN, ORANGE), strict=True)):
        figures = found["rows"][name]
        errorbars(axes, [place], [figures], "test_accuracy", color=color, joined=False)
        mean = 100 * figures["test_accuracy_mean"]
        axes.annotate(f"{mean:.1f}", (place, mean), (12, 0), textcoords="offset points", va="center", color=INK)
    axes.set_xticks(range(len(ROWS)), ROWS)
    axes.set_xlim(-0.6, len(ROWS) - 0.4)
    axes.set_ylabel("test accuracy on the board's integers (%)")
    edges = found["rows"][ROWS[0]]["edges_mean"]
    title = f"{setting.source}: {edges:,.0f} edges on the lanes of {setting.network} (bars: 95 % confidence)"
    titled(axes, title)
    return drawn


def _experiment(name: str, setting: Setting, seeds: int) -> Experiment:
    return Experiment(
        name=name,
        seeds=seeds,
        plan=partial(plan, setting),
        run=partial(run, setting),
        report=partial(report, setting),
        picture=partial(picture, setting),
    )


LEARNED_DIGITS = _experiment("learned-digits", DIGITS, 8)
LEARNED_MNIST = _experiment("learned-mnist", MNIST, 3)
