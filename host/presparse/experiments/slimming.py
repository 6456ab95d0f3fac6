"""Network slimming of an MLP in rounds: an L1 penalty on BatchNorm's scales, the smallest channels out, fine-tuning.

Every round slims as little as reaches its share of the parameters (Liu et al., ICCV 2017, whose multi-pass scheme this
is), and trains on with the penalty; the last round trains without. The penalty's strength is chosen for each seed on
that seed's validation part. The network is then made again from training and validation part together, and measured
once on the test part.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import nn

from presparse.data import Data
from presparse.experiments.experiment import Experiment, Report, choose_then_report, errorbars, of, rows_by
from presparse.experiments.perceptron import accuracy, parts, perceptron, together
from presparse.prune import PrunedModel, fine_tune, slim
from presparse.report.style import BLUE, INK, ORANGE, SOFT, figure, plain, titled
from presparse.sparsity import L1
from presparse.trials.trial import Done, Figures, Trial

SIZES = (784, 500, 300, 10)
STRENGTHS = (1e-4, 2e-4, 4e-4)
"""Of the penalty on each scale: one is chosen."""
ROUNDS = (0.5, 0.7, 0.84)
"""Shares of the first network's parameters that are gone."""
EPOCHS, PER_ROUND, LAST = 20, 15, 40
BATCH = 128
RATE, DECAY = 0.2, 5e-4
"""Of SGD with momentum 0.9. Adam, at 0.001, leaves a network that is a fifth of a point worse, dense or slimmed."""


def plan(seeds: int, done: Done) -> list[Trial]:
    trials: list[Trial] = [
        {"row": "slimmed", "strength": strength, "seed": seed, "phase": "choose"}
        for seed in range(seeds)
        for strength in STRENGTHS
    ]
    return choose_then_report(trials, done, "seed", chosen=best)


def best(done: Done) -> float:
    """The strength with the smallest validation error."""
    trial, _ = min(done, key=lambda each: each[1]["validation_error"])
    return float(trial["strength"])


def run(trial: Trial) -> Figures:
    splits = parts("mnist", int(trial["seed"]))
    if trial["phase"] == "choose":
        measured, learn, held = "validation", splits.train, splits.validation
    else:
        measured, learn, held = "test", together(splits.train, splits.validation), splits.test
    dense, cut, slimmed = rounds(trial, learn)
    return {
        f"{measured}_error_before": 1 - accuracy(dense, held),
        f"{measured}_error_cut": 1 - accuracy(cut, held),
        f"{measured}_error": 1 - accuracy(slimmed, held),
        "parameters_removed": 1 - slimmed.remaining_parameters / _parameters(dense),
        **{f"layer_{i}_left": float(width) for i, width in enumerate(slimmed.widths[:-1])},
    }


def rounds(trial: Trial, learn: Data) -> tuple[nn.Module, nn.Module, PrunedModel]:
    """The first network, and the last slimmed one before and after its fine-tuning."""
    seed, strength = int(trial["seed"]), float(trial["strength"])
    dense = perceptron(SIZES, seed, normalized=True)
    _train(dense, learn, EPOCHS, seed, strength)
    model: nn.Module = dense
    for share in ROUNDS[:-1]:
        model = slimmed_to(model, (1 - share) * _parameters(dense))
        _train(model, learn, PER_ROUND, seed, strength)
    cut = slimmed_to(model, (1 - ROUNDS[-1]) * _parameters(dense))
    slimmed = deepcopy(cut)
    _train(slimmed, learn, LAST, seed)
    return dense, cut, slimmed


def slimmed_to(model: nn.Module, parameters: float) -> PrunedModel:
    """The model without as few hundredths of its channels as leave at most so many parameters."""
    return next(
        slimmed
        for slimmed in (slim(model, fraction=hundredths / 100) for hundredths in range(100))
        if slimmed.remaining_parameters <= parameters
    )


def _train(model: nn.Module, learn: Data, epochs: int, seed: int, strength: float = 0) -> None:
    scales = [module.weight for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    penalty = L1(strength).on(model, parameters=scales).value if strength else None
    sgd = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, weight_decay=DECAY)
    fine_tune(
        model,
        *learn,
        epochs=epochs,
        batch_size=BATCH,
        optimizer=sgd,
        penalty=penalty,
        keep_zeros=False,
        random_state=seed,
    )


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def report(done: Done) -> dict[str, Any]:
    chosen = of(done, phase="report")
    return {
        "network": list(SIZES),
        "rows": rows_by(chosen, "row"),
        "strengths": {str(trial["seed"]): trial["strength"] for trial, _ in chosen},
    }


def picture(found: Report) -> Figure:
    """Test errors before, right after the last cut, and after fine-tuning."""
    drawn = figure(6.6, 4)
    axes = plain(drawn.subplots())
    figures = found["rows"]["slimmed"]
    stages = (("test_error_before", BLUE), ("test_error_cut", SOFT), ("test_error", ORANGE))
    for place, (key, color) in enumerate(stages):
        errorbars(axes, [place], [figures], key, color=color, joined=False)
        axes.annotate(f"{100 * figures[f'{key}_mean']:.2f}", (place, 100 * figures[f"{key}_mean"]), (12, 0),
                      textcoords="offset points", va="center", color=INK)  # fmt: skip
    axes.set_xticks(range(3), ["before", "slimmed, before\nthe last fine-tuning", "slimmed, fine-tuned"])
    axes.set_xlim(-0.5, 2.6)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("test error (%)")
    fewer = figures["parameters_removed_mean"]
    title = f"Test error of 784-500-300-10 on MNIST, {fewer:.1%} fewer parameters (bars: 95 % confidence)"
    titled(axes, title)
    return drawn


SLIMMING_MNIST = Experiment(
    name="slimming-mnist",
    seeds=3,
    plan=plan,
    run=run,
    report=report,
    picture=picture,
)
