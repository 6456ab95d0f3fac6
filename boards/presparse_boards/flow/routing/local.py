"""Runs of place-and-route in threads of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from presparse.support.processors import processors
from presparse_boards.flow.routing.run import Ended, Job, Runs, UnderWay, run
from presparse_boards.flow.tools import Workshop


@contextmanager
def local_runs(folder: Path, job: Job, seeds: Sequence[int]) -> Iterator[Runs]:
    """As many at once as there are processors."""
    threads = ThreadPoolExecutor(min(len(seeds), processors()))
    # The workshop closes first, and the threads then have nothing left to wait for.
    with threads, Workshop(folder) as workshop:
        yield _Threads(threads, workshop, job, seeds)


class _Threads:
    def __init__(self, threads: ThreadPoolExecutor, workshop: Workshop, job: Job, seeds: Sequence[int]) -> None:
        self._heard: SimpleQueue[UnderWay | Future[Ended]] = SimpleQueue()
        self._stopped: set[int] = set()
        for seed in seeds:
            threads.submit(run, workshop, job, seed, self._goes_on).add_done_callback(self._heard.put)

    def next(self, seconds: float) -> UnderWay | Ended | None:
        try:
            heard = self._heard.get(timeout=seconds)
        except Empty:
            return None
        return heard if isinstance(heard, UnderWay) else heard.result()

    def stop(self, seed: int) -> None:
        self._stopped.add(seed)

    def _goes_on(self, state: UnderWay) -> bool:
        self._heard.put(state)
        return state.seed not in self._stopped
