"""Who makes the trials of a command: this computer's processors, or a cluster."""

from __future__ import annotations

from contextlib import AbstractContextManager

from presparse.errors import ArgumentError
from presparse.support.processors import processors
from presparse.trials import cluster_workers, workers


def check_workers(jobs: int | None, scheduler: str | None) -> None:
    """Raise ArgumentError for two answers to one question."""
    if jobs is not None and scheduler is not None:
        raise ArgumentError(
            f"--jobs {jobs} is for this computer alone, and --scheduler {scheduler} for others; leave one of them out"
        )


def open_workers(jobs: int | None, scheduler: str | None) -> AbstractContextManager[workers.Workers]:
    """Raises what `workers.processes` and `cluster_workers.on_cluster` raise."""
    if scheduler is not None:
        return cluster_workers.on_cluster(scheduler)
    return workers.processes(jobs or processors())
