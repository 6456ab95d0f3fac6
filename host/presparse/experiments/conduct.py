"""Making the trials of an experiment, several at a time, each of them once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context

import torch

from presparse.experiments.experiment import Done, Experiment, Figures, Trial
from presparse.experiments.journal import Journal


def conduct(
    experiment: Experiment, journal: Journal, *, seeds: int, jobs: int, told: Callable[[int, int, Trial], None]
) -> Done:
    """All trials with their figures, those of the journal as they are.

    `told(done, of, trial)` comes after every trial; more may be planned when all are done. A trial that fails ends the
    experiment, and those that were made stay in the journal.
    """
    done: Done = []
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        try:
            while len(plan := experiment.plan(seeds, done)) > len(done):
                _make(experiment, [trial for trial in plan if trial not in journal], len(plan), journal, pool, told)
                done = [(trial, journal[trial]) for trial in plan]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return done


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
