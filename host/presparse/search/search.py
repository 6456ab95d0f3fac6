"""`ps.search`: proposals, an estimate each, a ladder of trainings, and a confirmation of those on the front."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

import presparse
from presparse.contract.network import SHIPPED
from presparse.errors import ArgumentError
from presparse.experiments.intervals import interval
from presparse.fitting.holding_out import Validation
from presparse.fitting.rate_schedule import SEEN
from presparse.messages.store import StoreWish
from presparse.search.candidates import Candidate, Candidates
from presparse.search.folder import Folder
from presparse.search.found import FIGURES, Entry, Found
from presparse.search.halving import Halving
from presparse.search.space import Proposals, SearchSpace
from presparse.search.subject import Mode, Subject, subject_of
from presparse.search.training import Trained, climb, confirm
from presparse.support.processors import processors
from presparse.support.scratch import scratch_folder
from presparse.trials.conduct import conduct
from presparse.trials.journal import Journal
from presparse.trials.trial import Done, Figures, Trial
from presparse.trials.workers import Workers, given, local
from presparse.validation import checked_callback, checked_count, checked_number, checked_seed

TRIALS = 120
"""Networks that are tried unless told otherwise."""
CONFIRMED = 8
"""Networks of the front that are confirmed, at most."""
SPLITS = 5
"""Trainings that confirm a network."""
FEWEST_EPOCHS, MOST_EPOCHS = 27, 243
"""Of a whole training, unless told otherwise."""
_CONFIRMING = 0.7
"""Share of the minutes after which no more networks are proposed: the rest is for those under way, and to confirm."""

Told = Callable[[int, int, str], None]
"""How many trainings are made, of how many that are planned by now, and what was made."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is searched for, and how long."""

    board: str
    mode: Mode
    store: StoreWish = "auto"
    space: SearchSpace
    seed: int
    trials: int | None
    """Networks that are tried; None: as many as `minutes` allow."""
    minutes: float | None
    epochs: int
    """Of a whole training, the last rung of the ladder."""
    objectives: tuple[str, ...] = ("accuracy", "speed")
    at_least: Mapping[str, float] = field(default_factory=dict)

    def about(self, subject: Subject) -> dict[str, Any]:
        """Everything that trials depend on: a search goes on only if this is the same."""
        return {
            "presparse": presparse.__version__,
            "board": self.board,
            "mode": self.mode,
            "store": str(self.store),
            "seed": self.seed,
            "epochs": self.epochs,
            "objectives": list(self.objectives),
            "at_least": dict(self.at_least),
            "samples": len(subject.train[1]),
            "data": subject.digest,
            "space": self.space.model_dump(mode="json"),
        }


def search(
    X: ArrayLike,
    y: ArrayLike,
    board: str,
    *,
    mode: Mode = "train",
    trials: int | None = None,
    minutes: float | None = None,
    random_state: int = 0,
    space: SearchSpace | str | Path | None = None,
    at_least: Mapping[str, float] | None = None,
    objectives: Sequence[str] = ("accuracy", "speed"),
    epochs: int | None = None,
    samples: int | None = None,
    validation: Validation = None,
    test: Validation = None,
    store: StoreWish = "auto",
    executor: Executor | None = None,
    folder: str | Path | None = None,
    progress: Told | None = None,
) -> Found:
    """Networks for X (k, features), y (k,) and a board, of which no other is better in every objective.

    Networks are proposed (`presparse.search.SearchSpace`), and left out if the estimate says that they do not fit the
    board safely. The others train for a ninth of `epochs`; those that by then no other, or few others, are better than
    in everything go on to a third, and to the end (`presparse.search.halving`). With mode "train" they learn bit for
    bit as the board does; for a board that only infers, in PyTorch. In the end those of the front, at most 8, are
    trained anew on 5 parts of the samples and measured by the test part, which nothing else has looked at.

    `trials` is how many networks are tried (120), or `minutes` how long. `at_least` holds bounds that networks must
    keep, such as {"accuracy": 0.96, "speed": 1e6}; of lut, latency and edges, which may be `objectives`, too, it is the
    most. `epochs` is a multiple of 9, by default one that lets the last rung see some 100,000 samples. Of more than
    `samples` as many are drawn. `validation` and `test` are (X, y), shares, or numbers of samples; by default 0.15 of
    those that are not tested, and 0.25.

    Trials run in processes of this computer, one per processor, or wherever `executor` has them run; which ones are
    made, and what comes of them, does not depend on it. With `folder`, everything is kept there, and the same call goes
    on where it was cut off. `progress(done, of, what)` is called after every training.

    Raises FeatureError, DataError (one class), ArgumentError, BoardError, MissingExtra without `presparse[train,build]`;
    ArgumentError, too, for a folder of another search.
    """
    checked_callback("progress", progress)
    subject = subject_of(
        X,
        y,
        mode=_checked_mode(mode),
        seed=checked_seed(random_state),
        samples=None if samples is None else checked_count("samples", samples),
        validation=validation,
        test=test,
    )
    task = task_of(
        subject,
        board=board,
        store=store,
        space=space,
        seed=random_state,
        trials=trials,
        minutes=minutes,
        epochs=epochs,
        objectives=objectives,
        at_least=at_least or {},
    )
    told = progress or (lambda done, of, what: None)
    with local(processors()) if executor is None else given(executor) as workers:
        if folder is not None:
            return run(task, subject, Folder(Path(folder)), workers, told)
        with scratch_folder() as scratch:
            return run(task, subject, Folder(scratch / "search"), workers, told)


def task_of(
    subject: Subject,
    *,
    board: str,
    store: StoreWish,
    space: SearchSpace | str | Path | None,
    seed: int,
    trials: int | None,
    minutes: float | None,
    epochs: int | None,
    objectives: Sequence[str],
    at_least: Mapping[str, float],
) -> Task:
    """Checked. Raises ArgumentError."""
    if trials is not None and minutes is not None:
        raise ArgumentError("trials and minutes both say when the search ends; give one of them")
    if minutes is None:
        trials = checked_count("trials", TRIALS if trials is None else trials, 1_000_000)
    else:
        minutes = checked_number("minutes", minutes, 0.01, 100_000.0)
    for name in (*objectives, *at_least):
        if name not in FIGURES:
            raise ArgumentError(f"networks have no {name!r} to choose by; there are {', '.join(FIGURES)}")
    if len(set(objectives)) < 2 or "accuracy" not in objectives:
        raise ArgumentError(
            f"objectives are accuracy and at least one of {', '.join(FIGURES[1:])}, and are {', '.join(objectives)}"
        )
    for name, value in at_least.items():
        checked_number(f"at_least {name}", value, 0.0, 1.0 if name == "accuracy" else 1e12)
    if not isinstance(space, SearchSpace):
        space = SearchSpace() if space is None else SearchSpace.load(space)
    return Task(
        board=board,
        mode=subject.mode,
        store=store,
        space=space,
        seed=seed,
        trials=trials,
        minutes=minutes,
        epochs=_epochs(epochs, len(subject.train[1])),
        objectives=tuple(dict.fromkeys(objectives)),
        at_least=dict(at_least),
    )


def run(task: Task, subject: Subject, folder: Folder, workers: Workers, told: Told) -> Found:
    """The search, with everything that it finds in `folder`."""
    about = task.about(subject)
    journal = Journal(folder.journal, head=about)
    folder.describe(about)
    plan = _Plan(task, subject)
    shared = workers.share(subject)

    def arguments(trial: Trial) -> tuple[object, ...]:
        if trial["stage"] == "confirm":
            return (shared,)
        return shared, folder.kept(plan.below(trial)) if trial["trained"] else None

    def kept(trial: Trial, made: Trained) -> Figures:
        folder.keep(trial, made.model)
        return {"accuracy": made.accuracy}

    done = conduct(
        plan,
        work,
        journal,
        workers,
        told=lambda made, of, trial: told(made, of, plan.words(trial)),
        arguments=arguments,
        kept=kept,
    )
    found = plan.found(done, folder)
    folder.write(found, subject)
    return found


def work(trial: Trial, subject: Subject, *before: Any) -> Trained:
    """On a worker."""
    return confirm(trial, subject) if trial["stage"] == "confirm" else climb(trial, subject, *before)
