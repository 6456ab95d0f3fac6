"""Making the trials of an experiment, several at a time, each of them once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process

import torch

from presparse.errors import ArgumentError
from presparse.experiments.experiment import Done, Experiment, Figures, Trial
from presparse.experiments.journal import Journal
from presparse.support.interrupts import REQUESTS


def conduct(
    experiment: Experiment, journal: Journal, *, seeds: int, jobs: int, told: Callable[[int, int, Trial], None]
) -> Done:
    """All trials with their figures, those of the journal as they are.

    `told(done, of, trial)` comes after every trial; more may be planned when all are done. A trial that fails ends the
    experiment, and those that were made stay in the journal; so does Ctrl-C, which waits for none.

    Raises ArgumentError if the operating system ends a trial, as it does when memory is short.
    """
    done: Done = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin) as pool:
        try:
            while len(plan := experiment.plan(seeds, done)) > len(done):
                _make(experiment, [trial for trial in plan if trial not in journal], len(plan), journal, pool, told)
                done = [(trial, journal[trial]) for trial in plan]
        except BrokenProcessPool as error:
            raise ArgumentError(
                f"a trial of {experiment.name} was ended from outside, perhaps because memory is short; "
                f"the others are in {journal.path}: go on with fewer --jobs than {jobs}"
            ) from error
        except BaseException:
            for worker in active_children():
                worker.kill()
            raise
    return done


def _begin() -> None:
    """In every worker. Requests to end are for who gave the orders: a training that heard one would end early, and
    count."""
    for number in REQUESTS:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would keep its memory, and wait for orders for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _make(
    experiment: Experiment,
    missing: list[Trial],
    planned: int,
    journal: Journal,
    pool: ProcessPoolExecutor,
    told: Callable[[int, int, Trial], None],
) -> None:
    running: dict[Future[Figures], Trial] = {pool.submit(experiment.run, trial): trial for trial in missing}
    while running:
        finished = wait(running, return_when=FIRST_COMPLETED).done
        for future in sorted(finished, key=lambda each: each.exception() is not None):  # what was made is kept first
            trial = running.pop(future)
            journal.add(trial, future.result())
            told(planned - len(running), planned, trial)
