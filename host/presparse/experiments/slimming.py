"""Network slimming of an MLP: an L1 penalty on BatchNorm's scales, the smallest channels out, fine-tuning."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from torch import nn

from presparse.experiments.experiment import Done, Experiment, Figures, Trial, rows_by
from presparse.experiments.perceptron import accuracy, parts, perceptron, together
from presparse.prune import fine_tune, slim
from presparse.report.style import BLUE, INK, ORANGE, figure, plain
from presparse.sparsity import L1

SIZES = (784, 500, 300, 10)
STRENGTH = 3e-3
"""Of the penalty on each scale."""
FRACTION = 0.82
"""Channels that leave: 656 of 800."""
EPOCHS, FINE_TUNING, BATCH, RATE = 20, 20, 128, 1e-3


def plan(seeds: int, done: Done) -> list[Trial]:
    return [{"row": "slimmed", "seed": seed, "strength": STRENGTH, "fraction": FRACTION} for seed in range(seeds)]


def run(trial: Trial) -> Figures:
    """Nothing is chosen here, so that training and validation part are learned from together."""
    seed = int(trial["seed"])
    splits = parts("mnist", seed)
    learn = together(splits.train, splits.validation)
    model = perceptron(SIZES, seed, normalised=True)
    scales = [module.weight for module in model if isinstance(module, nn.BatchNorm1d)]
    penalty = L1(float(trial["strength"])).on(model, parameters=scales)
    fine_tune(model, *learn, epochs=EPOCHS, batch=BATCH, rate=RATE, penalty=penalty.value, keep_zeros=False, seed=seed)
    before = accuracy(model, splits.test)
    slimmed = slim(model, fraction=float(trial["fraction"]))
    cut = accuracy(slimmed, splits.test)
    fine_tune(slimmed, *learn, epochs=FINE_TUNING, batch=BATCH, rate=RATE, seed=seed)
    return {
        "test_error_before": 1 - before,
        "test_error_cut": 1 - cut,
        "test_error": 1 - accuracy(slimmed, splits.test),
        "parameters_removed": 1 - slimmed.remaining_parameters / slimmed.original_parameters,
        **{f"layer_{i}_left": float(width) for i, width in enumerate(slimmed.widths[:-1])},
    }


def report(done: Done) -> dict[str, Any]:
    return {"network": list(SIZES), "rows": rows_by(done, "row")}


def picture(done: Done) -> Figure:
    """Errors of every seed before and after."""
    drawn = figure(6, 4)
    axes = plain(drawn.subplots())
    for place, (key, colour) in enumerate((("test_error_before", BLUE), ("test_error", ORANGE))):
        errors = [100 * figures[key] for _, figures in done]
        axes.scatter([place] * len(errors), errors, s=50, color=colour, alpha=0.6, linewidths=0)
        axes.plot([place - 0.15, place + 0.15], [sum(errors) / len(errors)] * 2, color=INK)
    axes.set_xticks([0, 1], ["dense", "slimmed, fine-tuned"])
    axes.set_xlim(-0.6, 1.6)
    axes.set_ylabel("test error (%)")
    fewer = sum(figures["parameters_removed"] for _, figures in done) / len(done)
    axes.set_title(f"784-500-300-10 on MNIST, {fewer:.1%} fewer parameters", loc="left", color=INK, fontsize=11)
    return drawn


SLIMMING_MNIST = Experiment(
    name="slimming-mnist",
    question="What does it cost 784-500-300-10 on MNIST to lose four fifths of its hidden neurons?",
    seeds=3,
    plan=plan,
    run=run,
    report=report,
    picture=picture,
)
