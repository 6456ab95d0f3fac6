"""What a bench tells: lines of JSON in a file, which `service` reads while the simulation runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from presparse.messages.simulation import Mismatch
from presparse_sim.benches.task import Task

_SECONDS = 0.2
"""Between two lines about progress."""


class Mismatched(AssertionError):
    """The gateware differs from the reference."""

    def __init__(self, mismatch: Mismatch) -> None:
        self.mismatch = mismatch
        super().__init__(str(mismatch))


class Journal:
    """A bench's own: progress, and in the end what it simulated, and the mismatch, if that ended it.

        with Journal(task, clock_cycle) as journal: ...

    `clock_cycle` tells how many there have been.
    """

    def __init__(self, task: Task, clock_cycle: Callable[[], int]) -> None:
        self._path = task.journal
        self._clock_cycle = clock_cycle
        self._told = 0.0
        self.samples = 0
        """That went through the gateware; the bench counts them."""
        self.compared = 0
        """Numbers compared with the reference, likewise."""

    def progress(self, done: int, of: int, note: str) -> None:
        """How far the bench is."""
        if time.monotonic() - self._told > _SECONDS:
            self._told = time.monotonic()
            self._write({"done": done, "of": of, "note": note})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end: dict[str, Any] = {"samples": self.samples, "cycles": self._clock_cycle(), "compared": self.compared}
        if isinstance(error, Mismatched):
            end["mismatch"] = error.mismatch.model_dump()
        self._write({"end": end})

    def _write(self, line: dict[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


class Reader:
    """The other end: whole lines as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def lines(self) -> Iterator[dict[str, Any]]:
        """Those that came since the last call."""
        if not self._path.exists():
            return
        with self._path.open() as file:
            file.seek(self._read)
            while (line := file.readline()).endswith("\n"):
                self._read = file.tell()
                yield json.loads(line)
