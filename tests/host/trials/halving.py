"""A plan that depends on results, with trials that take no time, and such that train."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from presparse.errors import ArgumentError
from presparse.trials.trial import Done, Figures, Trial

RUNGS = (12, 4, 1)
"""Trials of each rung: the best third of one is in the next."""


def plan(done: Done) -> list[Trial]:
    """A rung is planned when the one before is done; its trials say where they come from."""
    trials: list[Trial] = [{"rung": 0, "shape": [n, {"half": n / 2}]} for n in range(RUNGS[0])]
    for rung, count in enumerate(RUNGS[1:], start=1):
        if len(done) < len(trials):
            break
        last = [(trial, figures) for trial, figures in done if trial["rung"] == rung - 1]
        best = sorted(last, key=lambda each: -each[1]["score"])[:count]
        trials += [{"rung": rung, "shape": trial["shape"], "was": figures["score"]} for trial, figures in best]
    return trials


def score(trial: Trial) -> Figures:
    """Those that are planned first are done last."""
    n = trial["shape"][0]
    time.sleep(0.02 * (n == 0))
    return {"score": (n * 7919 + 104729 * trial["rung"]) % 101 / 7}


def slow_score(trial: Trial) -> Figures:
    """As `score`, long enough that something can happen meanwhile."""
    time.sleep(0.25)
    return score(trial)


def with_weights(trial: Trial, weights: Any, times: int) -> Figures:
    """With something that is shared, and something that is this trial's."""
    return {"score": score(trial)["score"] + times * float(sum(weights))}


def fails(trial: Trial) -> Figures:
    if trial["shape"][0] == 5:
        raise ArgumentError("five; no five")
    return score(trial)


def killed(trial: Trial) -> Figures:
    if trial["shape"][0] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return score(trial)


def slow(trial: Trial) -> Figures:
    """All but the first."""
    if trial["shape"][0] > 0:
        time.sleep(60)
    return score(trial)


def process(trial: Trial) -> Figures:
    import torch

    return {"score": float(os.getpid()), "threads": torch.get_num_threads()}


def trained(trial: Trial) -> Figures:
    """In floating point, from random numbers that belong to the process."""
    import torch

    from presparse.contract.network import Network
    from presparse.data import load_digits
    from presparse.train import QuantizedNetwork, fit

    X, y = load_digits()
    seed = trial["shape"][0]
    torch.manual_seed(seed)
    noise = float(torch.randn(1000, 1000).sum())
    model = fit(Network.load("digits-small"), X[:200], y[:200], epochs=2, batch_size=8, lr=0.02, random_state=seed)
    return {"score": QuantizedNetwork.from_model(model).score(X[200:500], y[200:500]), "noise": noise}


def trials_of(journal: Path) -> list[str]:
    """The lines of a journal, whatever order they were written in."""
    return sorted(journal.read_text(encoding="utf-8").splitlines())
