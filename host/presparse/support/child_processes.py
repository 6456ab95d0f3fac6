"""Programs that take long, and that end when this process ends: compilers, synthesis, place-and-route, simulators.

Compilers start others, and none of them hears when Presparse is killed. So each program runs under a small process
(`process_guard.py`) that leads a group of its own, knows by a pipe whether this process is still there, and otherwise
ends the whole group.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from presparse.support.errors import PresparseError

_GUARD = (sys.executable, "-I", "-S", str(Path(__file__).with_name("process_guard.py")))
_LOOK_SECONDS = 1.0
"""Between two questions whether a program is overdue."""


class NotStarted(PresparseError):
    """A program that was to run beside others, after those had been ended."""


class ChildProcesses:
    """Programs that run beside this process; leaving the `with` block, for whatever reason, ends those that still run.

    Usable from several threads.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            _end(process)
        for process in running:
            process.wait()

    def run(
        self,
        command: Sequence[str | Path],
        output: IO[bytes] | IO[str] | None,
        *,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        overdue: Callable[[], bool] | None = None,
    ) -> int:
        """Run a program to its end, or until it is `overdue`; returns its exit status, negative if a signal ended it.

        Parameters
        ----------
        output : an open file, which all that the program says goes into; None: it goes where this process's goes
        folder : it runs in; default: this process's
        env : its whole environment; default: this process's

        Raises NotStarted if the `with` block has been left.
        """
        with self._started(command, output, folder, env) as process:
            while True:
                try:
                    return process.wait(None if overdue is None else _LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    if overdue is not None and overdue():
                        _end(process)

    def listen(
        self, command: Sequence[str | Path], *, folder: Path | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """The same as `run`: exit status, and what the program said (which needs no room on any disk)."""
        with self._started(command, subprocess.PIPE, folder, env) as process:
            with cast(IO[bytes], process.stdout) as words:
                said = words.read()
            return process.wait(), said.decode(errors="replace")

    @contextmanager
    def _started(
        self,
        command: Sequence[str | Path],
        output: IO[bytes] | IO[str] | int | None,
        folder: Path | None,
        env: Mapping[str, str] | None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            if self._closed:
                raise NotStarted(f"{Path(command[0]).name}: not started, because another step had failed")
            process = subprocess.Popen(
                [*_GUARD, *command],
                cwd=folder,
                env=env,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is this process's to handle
            )
            self._running.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._running.discard(process)
            _end(process)
            process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its guard then ends it, if it still runs."""
    if process.stdin is not None:
        process.stdin.close()
