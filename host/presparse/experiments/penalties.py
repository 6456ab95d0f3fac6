"""Penalties on a dense network: what accuracy, weights and neurons they leave.

Every row's strength is chosen for each seed on that seed's validation part: the strongest whose accuracy there is
within one standard error of the best. The network is then trained again on training and validation part together, and
measured once on the test part.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from matplotlib.figure import Figure
from torch import nn

from presparse.data import Data
from presparse.experiments.experiment import Experiment, Report, choose_then_report, of, rows_by
from presparse.experiments.perceptron import accuracy, parts, perceptron, together
from presparse.prune import compact, fine_tune
from presparse.report.style import BLUE, GREEN, INK, ORANGE, RED, SOFT, figure, plain, titled
from presparse.sparsity import L1, L2, GroupLasso, Penalty, ProximalOptimizer, SparseGroupLasso, left_over
from presparse.trials.trial import Done, Figures, Trial

THRESHOLD = 1e-3
"""Where a penalty is only added to the loss, no weight becomes exactly 0: smaller ones are set to 0 in the end."""

Way = Literal["loss", "prox"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One penalty, one way to minimize it, and the strengths to choose from."""

    penalty: type[Penalty]
    way: Way
    strengths: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One data set with its network, and how it is trained."""

    source: str
    sizes: tuple[int, ...]
    rows: dict[str, Row]
    epochs: dict[Way, int]
    refit: int
    """Epochs with the zeros held, after exact pruning; 'prox' only."""
    batch: int
    rate: float
    """Of SGD with momentum 0.9, whose metric the proximal operator takes."""
    adam: float
    """Learning rate of Adam, for 'loss' and the refit."""


DIGITS = Setting(
    source="digits",
    sizes=(64, 40, 20, 10),
    rows={
        "l2": Row(penalty=L2, way="loss", strengths=(1e-5, 1e-4, 1e-3, 3e-3)),
        "l1": Row(penalty=L1, way="loss", strengths=(1e-4, 3e-4, 1e-3, 3e-3)),
        "group_lasso": Row(penalty=GroupLasso, way="loss", strengths=(1e-4, 3e-4, 1e-3, 3e-3)),
        "sparse_group_lasso": Row(penalty=SparseGroupLasso, way="loss", strengths=(1e-4, 3e-4, 1e-3, 3e-3)),
        "sparse_group_lasso_prox": Row(penalty=SparseGroupLasso, way="prox", strengths=(3e-3, 5e-3, 7e-3, 1e-2)),
    },
    epochs={"loss": 100, "prox": 300},
    refit=30,
    batch=32,
    rate=0.1,
    adam=3e-3,
)

MNIST = Setting(
    source="mnist",
    sizes=(784, 400, 300, 100, 10),
    rows={
        "l2": Row(penalty=L2, way="loss", strengths=(1e-6, 1e-5)),
        "sparse_group_lasso_prox": Row(penalty=SparseGroupLasso, way="prox", strengths=(2e-4, 3e-4, 5e-4)),
    },
    epochs={"loss": 15, "prox": 20},
    refit=8,
    batch=128,
    rate=0.1,
    adam=1e-3,
)


def plan(setting: Setting, seeds: int, done: Done) -> list[Trial]:
    trials: list[Trial] = [
        {"row": name, "strength": strength, "seed": seed, "phase": "choose"}
        for name, row in setting.rows.items()
        for seed in range(seeds)
        for strength in row.strengths
    ]
    return choose_then_report(trials, done, "row", "seed", chosen=strongest)


def strongest(done: Done) -> float:
    """The strongest penalty within one standard error of the best validation accuracy."""
    best = max(figures["validation_accuracy"] for _, figures in done)
    error = (best * (1 - best) / done[0][1]["validation_samples"]) ** 0.5
    return max(float(trial["strength"]) for trial, figures in done if figures["validation_accuracy"] >= best - error)


def run(setting: Setting, trial: Trial) -> Figures:
    splits = parts(setting.source, int(trial["seed"]))
    if trial["phase"] == "choose":
        model, figures = train(setting, trial, splits.train)
        return figures | {
            "validation_accuracy": accuracy(model, splits.validation),
            "validation_samples": len(splits.validation[1]),
        }
    model, figures = train(setting, trial, together(splits.train, splits.validation))
    return figures | {"test_accuracy": accuracy(model, splits.test)}


def train(setting: Setting, trial: Trial, learn: Data) -> tuple[nn.Module, dict[str, float]]:
    """A pruned model, and what is left of the dense one."""
    row, seed = setting.rows[str(trial["row"])], int(trial["seed"])
    model = perceptron(setting.sizes, seed)
    regularizer = row.penalty(float(trial["strength"])).on(model)
    epochs = setting.epochs[row.way]
    if row.way == "prox":
        sgd = torch.optim.SGD(model.parameters(), lr=setting.rate, momentum=0.9)
        steps = epochs * -(-len(learn[1]) // setting.batch)
        optimizer = ProximalOptimizer(sgd, regularizer, warm_up=steps // 20)
        fine_tune(
            model,
            *learn,
            epochs=epochs,
            batch_size=setting.batch,
            optimizer=optimizer,
            keep_zeros=False,
            random_state=seed,
        )
    else:
        fine_tune(
            model,
            *learn,
            epochs=epochs,
            batch_size=setting.batch,
            lr=setting.adam,
            penalty=regularizer.value,
            keep_zeros=False,
            random_state=seed,
        )
        with torch.no_grad():
            for parameter in model.parameters():
                parameter[parameter.abs() < THRESHOLD] = 0
    left = left_over(model)
    pruned = compact(model)
    if row.way == "prox":
        fine_tune(pruned, *learn, epochs=setting.refit, batch_size=setting.batch, lr=setting.adam, random_state=seed)
    widths = {f"layer_{i}_left": float(width) for i, width in enumerate(pruned.widths[:-1])}
    return pruned, {"exact_zeros": left.exact_zeros, **widths}


def report(setting: Setting, done: Done) -> dict[str, Any]:
    found = rows_by(of(done, phase="report"), "row")
    for name, figures in found.items():
        chosen = [float(trial["strength"]) for trial, _ in of(done, phase="report", row=name)]
        figures["strength_median"] = statistics.median_high(chosen)
    return {"network": list(setting.sizes), "rows": found}


_COLORS = {
    "l2": SOFT,
    "l1": BLUE,
    "group_lasso": GREEN,
    "sparse_group_lasso": ORANGE,
    "sparse_group_lasso_prox": RED,
}


def picture(setting: Setting, found: Report) -> Figure:
    """Test accuracy against exact zeros: means, with intervals both ways."""
    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    for name, figures in found["rows"].items():
        label = name.replace("_prox", ", proximal, refit").replace("_", " ").replace("l1", "L1").replace("l2", "L2")
        axes.errorbar(
            100 * figures["exact_zeros_mean"],
            100 * figures["test_accuracy_mean"],
            100 * figures["test_accuracy_ci95"],
            100 * figures["exact_zeros_ci95"],
            color=_COLORS[name],
            marker="o",
            markersize=8,
            linestyle="none",
            capsize=4,
            label=label if name.endswith("_prox") else f"{label}, thresholded",
        )
    axes.set_xlim(0, 104)
    axes.set_xlabel("weights that are 0 (%)")
    axes.set_ylabel("test accuracy (%)")
    title = f"{'-'.join(map(str, setting.sizes))} on {setting.source} (bars: 95 % confidence)"
    titled(axes, title)
    # Above the bars: no line of theirs is covered.
    axes.legend(frameon=False, labelcolor=INK, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
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


PENALTIES_DIGITS = _experiment("penalties-digits", DIGITS, 8)
PENALTIES_MNIST = _experiment("penalties-mnist", MNIST, 3)
