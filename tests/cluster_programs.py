"""A scheduler and workers of dask as users start them: programs of their own, which tests may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
"""Where the package `tests` is; workers and their tools run elsewhere."""


class Cluster:
    """One scheduler, and workers by name. Leaving the `with` block kills them all."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0")
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        while not self._file.exists():
            assert self.scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.05)

    @property
    def address(self) -> str:
        return json.loads(self._file.read_text())["address"]

    def worker(self, name: str, *, route: int = 1, threads: int = 1, packages: Path | None = None) -> None:
        """One more, which is there when this returns; `packages` is a folder whose Python packages it finds first."""
        resources = ["--resources", f"route={route}"] if route else []
        options = ("--name", name, "--nthreads", str(threads), "--no-nanny", *resources)
        self.workers[name] = self._start(name, "worker", *options, packages=packages)
        while f"name: {name}\n" not in (self.folder / "scheduler.log").read_text():
            assert self.workers[name].poll() is None, (self.folder / f"{name}.log").read_text()
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        self.workers[name].kill()
        self.workers.pop(name).wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for program in (*self.workers.values(), self.scheduler):
            program.kill()
            program.wait()

    def _start(self, name: str, kind: str, *options: str, packages: Path | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", str(self._file)]
        path = [*([str(packages)] if packages else []), str(ROOT), *sys.path]
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [*command, "--no-dashboard", *options],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
