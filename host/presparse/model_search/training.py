"""What a worker does: train one network for some epochs, as the board would, and measure it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from presparse import opening
from presparse.contract.build import Build, Mode
from presparse.contract.network import Network
from presparse.errors import LearningWarning, TrainingError
from presparse.fitting.holding_out import Part, hold_out
from presparse.model import Model
from presparse.model_search.subject import Subject
from presparse.trials.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a trial leaves."""

    accuracy: float
    """On the samples that networks are chosen by, which were not trained; 0 to 1."""
    tested: float | None
    """On the test part; None where that is not looked at."""
    model: Model


def rates(network: Network, first: int, epochs: int) -> list[float]:
    """Of all epochs: 2^-first for one half of them, half of that for a quarter, and again for the last, as far as the
    network has such rates. They begin alike, however few of the epochs are trained."""
    falls = [0] * (epochs - epochs // 2) + [1] * (epochs // 2 - epochs // 4) + [2] * (epochs // 4)
    return [2.0 ** -min(first + fall, network.rates.most) for fall in falls]


def train(trial: Trial, subject: Subject, before: Model | None) -> Trained:
    """A trial of `presparse.model_search.plan`.

    On a rung of the ladder, a network is trained on the samples for that, up to `epochs`, and measured by those that
    networks are chosen by. `before` has its first `after` epochs; without it all are trained, which gives the same
    model. To confirm it, it is trained on another part of both, and measured by the rest of them, and by the test part.
    """
    if "split" not in trial:
        return _trained(trial, subject.train, subject.validation, None, before, subject.mode)
    X, y = subject.seen
    rows, held = hold_out(y, len(subject.validation[1]), _whole(trial, "seed"))
    return _trained(trial, (X[rows], y[rows]), (X[held], y[held]), subject.test, None, subject.mode)


def _trained(
    trial: Trial, learned: Part, measured: Part, test: Part | None, before: Model | None, mode: Mode
) -> Trained:
    network = Network.model_validate(trial["network"])
    epochs, seed = _whole(trial, "epochs"), _whole(trial, "seed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LearningWarning)  # accuracy tells, and searches expect it
        if mode == "infer":
            model = _in_pytorch(network, learned, epochs, seed)
            return Trained(
                accuracy=model.score(*measured), tested=None if test is None else model.score(*test), model=model
            )
        with opening.open("emulator:c", Build(network=network)) as board:
            first = 1
            if before is not None:
                board.load(before)
                first += _whole(trial, "after")
            lr = rates(network, _whole(trial, "rate"), _whole(trial, "of"))[:epochs]
            board.fit(*learned, epochs=epochs, lr=lr, first_epoch=first, random_state=seed)
            return Trained(
                accuracy=board.score(*measured),
                tested=None if test is None else board.score(*test),
                model=board.read_model(),
            )


def _in_pytorch(network: Network, learned: Part, epochs: int, seed: int) -> Model:
    from presparse import train

    try:
        return train.fit(network, *learned, epochs=epochs, random_state=seed)
    except TrainingError:  # diverged: no better than chance
        return Model.initial(network, random_state=seed)


def _whole(trial: Trial, key: str) -> int:
    value: Any = trial[key]
    return int(value)
