"""A scheduler and workers as users start them: programs, which can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from presparse.cluster import connect

ROOT = Path(__file__).parents[3]


class ClusterOfProcesses:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        assert self.scheduler.stderr is not None
        for line in self.scheduler.stderr:
            if b"Scheduler at:" in line:
                self.address = line.split()[-1].decode()
                break
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self, *options: str) -> None:
        place = ("--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(self._folder))
        self.workers.append(self._start("dask_worker", self.address, "--no-nanny", *place, *(options or _ONE)))

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Nobody reads what it says, unless it is said at once: `dask` says little."""
        started = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *arguments],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            stderr=subprocess.PIPE if program == "dask_scheduler" else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self._programs.append(started)
        return started

    def end(self) -> None:
        for program in self._programs:
            program.kill()
            program.wait()
            if program.stderr is not None:
                program.stderr.close()


_ONE = ("--nthreads", "1")


@contextmanager
def cluster_of_processes(folder: Path, workers: int) -> Iterator[ClusterOfProcesses]:
    started = ClusterOfProcesses(folder)
    try:
        for _ in range(workers):
            started.start_worker()
        if workers:  # a machine that is busy takes its time
            with connect(started.address, seconds=100) as client:
                client.wait_for_workers(workers, 100)
        yield started
    finally:
        started.end()
