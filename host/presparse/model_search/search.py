"""`ps.search`: proposals, an estimate each, a ladder of trainings, and a confirmation of those on the front."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

import presparse
from presparse.contract.build import Mode
from presparse.errors import ArgumentError
from presparse.fitting.holding_out import Validation
from presparse.fitting.rate_schedule import SEEN
from presparse.messages.store import StoreWish
from presparse.model_search.fitting_candidates import FittingCandidates
from presparse.model_search.folder import Folder
from presparse.model_search.found import Found
from presparse.model_search.plan import TESTED, Plan
from presparse.model_search.proposals.candidates import Proposals
from presparse.model_search.proposals.space import SearchSpace
from presparse.model_search.ranking.halving import Halving
from presparse.model_search.ranking.objectives import ACCURACY, MORE, Objectives
from presparse.model_search.subject import Subject, subject_of
from presparse.model_search.training import Trained, train
from presparse.support.processors import processors
from presparse.support.scratch import scratch_folder
from presparse.trials.conduct import conduct
from presparse.trials.journal import Journal
from presparse.trials.trial import Figures, Trial
from presparse.trials.workers import Workers, given, processes
from presparse.validation import (
    checked_callback,
    checked_count,
    checked_epochs,
    checked_mode,
    checked_number,
    checked_seed,
)

TRIALS = 120
"""Networks that are tried unless told otherwise."""
_RUNGS = (9, 3, 1)
"""Shares of a whole training on the ladder: a ninth, a third, all."""
FEWEST_EPOCHS, MOST_EPOCHS = 27, 243
"""Of a whole training, unless told otherwise."""

Told = Callable[[int, int, str], object]
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
    objectives: Objectives
    image: tuple[int, ...] | None
    """Rows and columns, perhaps channels, if the features are one."""

    def about(self, subject: Subject) -> dict[str, Any]:
        """Everything that trials depend on: a search goes on only if this is the same."""
        return {
            "presparse": presparse.__version__,
            "board": self.board,
            "mode": self.mode,
            "store": str(self.store),
            "seed": self.seed,
            "epochs": self.epochs,
            "objectives": list(self.objectives.names),
            "at_least": dict(self.objectives.at_least),
            "image": list(self.image or ()),
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
    image: Sequence[int] | None = None,
    at_least: Mapping[str, float] | None = None,
    objectives: Sequence[str] = MORE,
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

    Networks of `space` are proposed, and left out if the estimate says that they do not fit the board safely. The
    others train for a ninth of `epochs`; those that by then no other, or few others, are better than in everything go
    on to a third, and to the end (`presparse.model_search.ranking.halving`). With mode "train" they learn bit for bit
    as the board does; for a board that only infers, in PyTorch. In the end the best are trained anew on up to 5 other
    parts of the samples; by what is expected of them then (`presparse.model_search.ranking.expectation`), the front is
    chosen, of at most 8. It is measured by the test part, which nothing else has looked at.

    `trials` is how many networks are tried (120), or `minutes` how long. `at_least` holds bounds that networks must
    keep, such as {"accuracy": 0.96, "speed": 1e6}; of lut, latency and edges, which may be `objectives`, too, it is the
    most. `epochs` is a multiple of 9, by default one that lets the last rung see some 100,000 samples. Of more than
    `samples` as many are drawn. `validation` and `test` are (X, y), shares, or numbers of samples; by default 0.15 of
    those that are not tested, and 0.25.

    Trials run in processes of this computer, one per processor, or wherever `executor` has them run; which ones are
    made, and what comes of them, does not depend on it. With `folder`, everything is kept there, and the same call goes
    on where it was cut off. `progress(done, of, what)` is called after every training.

    Raises FeatureError, DataError (one class), SearchError (nothing suits), BoardError, ArgumentError (also for a
    folder of another search), MissingExtra without `presparse[train,build]`.
    """
    checked_callback("progress", progress)
    subject = subject_of(
        X,
        y,
        mode=checked_mode(mode),
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
        image=image,
        seed=random_state,
        trials=trials,
        minutes=minutes,
        epochs=epochs,
        objectives=objectives,
        at_least=at_least or {},
    )
    told = progress or (lambda done, of, what: None)
    made_by = processes(processors()) if executor is None else given(executor)
    with scratch_folder() as scratch, made_by as workers:
        return run(task, subject, Folder(scratch / "search" if folder is None else Path(folder)), workers, told)


def task_of(
    subject: Subject,
    *,
    board: str,
    store: StoreWish,
    space: SearchSpace | str | Path | None,
    image: Sequence[int] | None,
    seed: int,
    trials: int | None,
    minutes: float | None,
    epochs: int | None,
    objectives: Sequence[str],
    at_least: Mapping[str, float],
) -> Task:
    """Checked. Raises ArgumentError, SearchError."""
    if trials is not None and minutes is not None:
        raise ArgumentError("trials and minutes both say when the search ends; give one of them")
    if minutes is None:
        trials = checked_count("trials", TRIALS if trials is None else trials, 1_000_000)
    else:
        minutes = checked_number("minutes", minutes, 0.01, 100_000.0)
    if not isinstance(space, SearchSpace):
        space = SearchSpace() if space is None else SearchSpace.load(space)
    return Task(
        board=board,
        mode=subject.mode,
        store=store,
        space=space,
        image=None if image is None else tuple(image),
        seed=seed,
        trials=trials,
        minutes=minutes,
        epochs=_epochs(epochs, len(subject.train[1])),
        objectives=Objectives(names=tuple(objectives), at_least=dict(at_least)),
    )


def run(task: Task, subject: Subject, folder: Folder, workers: Workers, told: Told) -> Found:
    """The search, with everything that it makes in `folder`. Raises as `search`."""
    about = task.about(subject)
    with Journal.alone(folder.journal, head=about) as journal:
        folder.describe(about)
        proposals = Proposals(task.space, task.seed, features=subject.width, classes=subject.classes, image=task.image)
        candidates = FittingCandidates(proposals, task.objectives, board=task.board, mode=task.mode, store=task.store)
        halving = Halving(
            candidates=task.trials,
            objectives=task.objectives,
            ladder=[task.epochs // share for share in _RUNGS],
        )
        seconds = None if task.minutes is None else 60 * task.minutes
        plan = Plan(candidates, halving, seconds=seconds, seed=task.seed, samples=len(subject.validation[1]))
        shared = workers.share(subject)

        def arguments(trial: Trial) -> tuple[object, ...]:
            if not trial["after"] or task.mode == "infer":  # a training in PyTorch cannot go on from a model
                return shared, None
            return shared, folder.kept({**trial, "epochs": trial["after"]})

        def kept(trial: Trial, trained: Trained) -> Figures:
            folder.keep(trial, trained.model)
            tested = {} if trained.tested is None else {TESTED: trained.tested}
            return {ACCURACY: trained.accuracy, **tested, **plan.known(trial)}

        done = conduct(
            plan,
            train,
            journal,
            workers,
            told=lambda made, of, trial: told(made, of, plan.words(trial)),
            arguments=arguments,
            kept=kept,
        )
        found = plan.found(done, lambda trial: subject.noted(folder.kept(trial) or train(trial, subject, None).model))
        folder.write(found)
        return found


def _epochs(given: int | None, samples: int) -> int:
    """Of a whole training: a multiple of 9, by default so that it sees some 100,000 samples. Raises ArgumentError."""
    share = _RUNGS[0]
    if given is None:
        wanted = -(-SEEN // samples // share) * share
        return min(max(wanted, FEWEST_EPOCHS), MOST_EPOCHS)
    epochs = checked_epochs(given)
    if epochs % share:
        nearest = max(share, round(epochs / share) * share)
        raise ArgumentError(
            f"epochs must be a multiple of {share}, as networks train for a ninth, a third and all of them, and is "
            f"{epochs}; the nearest is {nearest}"
        )
    return epochs
