"""Making trials, several at a time, each of them once.

What is planned depends on results alone, in the order of the plan, and never on what happened to be done first: the
trials are the same ones, whoever makes them, however many at once, and however often it was cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import takewhile
from typing import Any

from presparse.trials.journal import Journal
from presparse.trials.trial import Done, Figures, Trial
from presparse.trials.workers import Workers

_LOOK_SECONDS = 5.0
"""Between two questions whether there still is somebody who works."""


def _nothing(trial: Trial) -> Iterable[Any]:
    return ()


def _as_it_is(trial: Trial, result: Any) -> Figures:
    return result


def conduct(
    plan: Callable[[Done], Sequence[Trial]],
    run: Callable[..., Any],
    journal: Journal,
    workers: Workers,
    *,
    told: Callable[[int, int, Trial], object],
    arguments: Callable[[Trial], Iterable[Any]] = _nothing,
    kept: Callable[[Trial, Any], Figures] = _as_it_is,
) -> Done:
    """All trials of a plan with their figures, those of the journal as they are.

    A trial that fails ends it, and so does Ctrl-C; those that were made stay in the journal. Then leave the block that
    opened the workers: it waits for none of the others.

    Parameters
    ----------
    plan : the longest run of finished trials from the first on -> all trials that are known by then, of which the
        earlier known ones come first, as they were; the same answer to the same trials
    run : called in a worker with a trial and its further arguments
    told : (done, of how many that are planned, trial), after every trial
    arguments : the further arguments of a trial, made when it is handed to the workers
    kept : trial and result of `run` -> figures, called here before they are written down: for results that have files
        of their own; default: the result is the figures

    Raises what a trial raises; OutputError if the journal cannot be written.
    """
    going: dict[Future[Any], Trial] = {}
    planned: list[Trial] = []
    made = 0
    done: Done = []
    while True:
        for trial in plan(list(done))[len(planned) :]:
            planned.append(trial)
            if trial in journal:
                made += 1
            else:
                going[workers.submit(run, trial, *arguments(trial))] = trial
        while not (finished := _finished(planned[len(done) :], journal)):
            if not going:
                return done
            for trial in _made(going, journal, workers, kept):
                made += 1
                told(made, len(planned), trial)
        done += finished


def _finished(planned: Iterable[Trial], journal: Journal) -> Done:
    """From the first trial to the first that is missing."""
    return [(trial, journal[trial]) for trial in takewhile(lambda each: each in journal, planned)]


def _made(
    going: dict[Future[Any], Trial], journal: Journal, workers: Workers, kept: Callable[[Trial, Any], Figures]
) -> Iterable[Trial]:
    """Wait for trials, and write each down before it is given. Those that were made come before one that failed."""
    wait(going, _LOOK_SECONDS, FIRST_COMPLETED)
    while not (ended := [future for future in going if future.done()]):  # `wait` overlooks some that were cancelled
        workers.check()
        wait(going, _LOOK_SECONDS, FIRST_COMPLETED)
    for future in sorted(ended, key=lambda each: each.cancelled() or each.exception() is not None):
        trial = going.pop(future)
        journal.add(trial, kept(trial, future.result()))
        yield trial
