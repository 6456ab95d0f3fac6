"""Data sets that nobody here chose a network for: defaults against the two programs that a stranger tries first."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from presparse import data
from presparse.contract.network import Network
from presparse.data import DATA_VARIABLE, Data
from presparse.errors import DataError
from presparse.estimator import SparseClassifier
from presparse.experiments.experiment import Experiment, Report, rows_by
from presparse.experiments.synthetic import long_tails, word_counts
from presparse.report.style import BLUE, GREEN, INK, ORANGE, SOFT, figure, plain, titled
from presparse.sizing.proposal import design
from presparse.trials.trial import Done, Figures, Trial

BOARD, PYTORCH = "trained on the board", "trained in PyTorch"
REGRESSION, DENSE = "logistic regression", "dense network of the same layers"
PROGRAMS = (BOARD, PYTORCH, REGRESSION, DENSE)
_COLORS = {BOARD: BLUE, PYTORCH: GREEN, REGRESSION: ORANGE, DENSE: SOFT}

TEST = 0.25
"""Of all samples, drawn by the seed, every class in proportion."""
_MNIST, _MORSE = 10_000, 12_800
"""Samples of these, of which there are more."""


def _some(source: str, samples: int) -> Data:
    X, y = data.load(source)
    rows = np.random.default_rng(0).permutation(len(y))[:samples]
    return X[rows], y[rows]


DRAWN_OR_SHIPPED: dict[str, Callable[[], Data]] = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": data.load_digits,
    "word counts": word_counts,
    "long tails": long_tails,
    "morse": lambda: _some("morse", _MORSE),
}
"""Data sets that are there without a folder."""


@cache
def sets() -> dict[str, Callable[[], Data]]:
    """All data sets: MNIST, and every npz and csv file in the folder that PRESPARSE_DATA names; NAME_train and
    NAME_test are one set."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        return DRAWN_OR_SHIPPED
    files: dict[str, list[Path]] = {}
    for file in sorted(Path(folder).iterdir()):
        if file.suffix in (".npz", ".csv"):
            files.setdefault(file.stem.removesuffix("_train").removesuffix("_test"), []).append(file)
    found = {name: (lambda parts=parts: _joined(parts)) for name, parts in files.items()}
    return {**DRAWN_OR_SHIPPED, "mnist": lambda: _some("mnist", _MNIST), **found}


def _joined(files: list[Path]) -> Data:
    parts = [data.load(file) for file in files]
    if len({X.shape[1] for X, _ in parts}) > 1:
        raise DataError(f"{files[0]}: other files of this name have another number of features; rename them")
    return np.concatenate([X for X, _ in parts]), np.concatenate([y for _, y in parts])


def plan(seeds: int, done: Done) -> list[Trial]:
    return [
        {"data": name, "program": program, "seed": seed}
        for name in sets()
        for program in PROGRAMS
        for seed in range(seeds)
    ]


def run(trial: Trial) -> Figures:
    """Every program as it is, on samples of the same split; the two rivals get standardized features."""
    seed, program = int(trial["seed"]), str(trial["program"])
    X, y = _loaded(str(trial["data"]))
    learn_X, test_X, learn_y, test_y = train_test_split(X, y, test_size=TEST, random_state=seed, stratify=y)
    network = proposed(learn_X, learn_y)
    if program == REGRESSION:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    elif program == DENSE:
        hidden = network.layers[1:-1]
        model = make_pipeline(StandardScaler(), MLPClassifier(hidden, max_iter=1000, random_state=seed))
    else:
        model = SparseClassifier(device="emulator:c" if program == BOARD else None, random_state=seed)
    return {
        "samples": float(len(y)),
        "features": float(X.shape[1]),
        "classes": float(len(np.unique(y))),
        "edges": float(network.edges),
        "density": network.density,
        "majority": float(np.unique(test_y, return_counts=True)[1].max() / len(test_y)),
        "test_accuracy": float(model.fit(learn_X, learn_y).score(test_X, test_y)),
    }


@lru_cache(maxsize=1)
def _loaded(name: str) -> Data:
    return sets()[name]()


def proposed(X: np.ndarray, y: np.ndarray) -> Network:
    """The network that SparseClassifier takes."""
    return design(X.shape[1], len(np.unique(y)), "auto", density="auto", samples=len(y)).network


def report(done: Done) -> dict[str, Any]:
    rows = rows_by(done, "data", "program")
    behind: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(str(trial["data"]) for trial, _ in done):
        reached = {program: 100 * rows[f"{name} {program}"]["test_accuracy_mean"] for program in PROGRAMS}
        best = max(reached[REGRESSION], reached[DENSE])
        behind[name] = {program: best - reached[program] for program in (BOARD, PYTORCH)}
    return {"rows": rows, "points_behind_the_better_of_two": behind}


def picture(found: Report) -> Figure:
    """A line per data set: what every program reached, and what the largest class alone would."""
    names = list(found["points_behind_the_better_of_two"])
    drawn = figure(6.6, 0.9 + 0.42 * len(names))
    axes = plain(drawn.subplots(), grid=False)
    for place, name in enumerate(names):
        axes.axhline(place, color="#e4e7eb", linewidth=1, zorder=0)
        majority = 100 * found["rows"][f"{name} {BOARD}"]["majority_mean"]
        axes.plot(majority, place, "|", color=INK, markersize=9, label=None if place else "the largest class")
        for program, aside in zip(PROGRAMS, (-0.18, -0.06, 0.06, 0.18), strict=True):
            row = found["rows"][f"{name} {program}"]
            axes.errorbar(
                100 * row["test_accuracy_mean"],
                place + aside,
                xerr=100 * row["test_accuracy_ci95"],
                color=_COLORS[program],
                marker="o",
                markersize=5,
                linestyle="none",
                label=None if place else program,
            )
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(None, 101)
    axes.set_xlabel("test accuracy (%)")
    titled(axes, "Defaults on data of several kinds (bars: 95 % confidence over splits)")
    drawn.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=INK, fontsize=9)
    return drawn


OTHER_DATA = Experiment(
    name="other-data",
    seeds=5,
    plan=plan,
    run=run,
    report=report,
    picture=picture,
)
