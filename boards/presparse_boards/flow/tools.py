"""The programs that make bitstreams, from pip wheels, run as processes of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from presparse_boards.errors import ToolFailed, ToolMissing
from presparse_boards.families.toolchain import Tool

_LOOK_SECONDS = 1.0
"""Between two questions whether a tool is overdue."""


def tool_versions(tools: Sequence[Tool]) -> dict[str, str]:
    """Versions of the wheels that hold these programs, and of Amaranth, which writes their input.

    Raises ToolMissing.
    """
    packages = [tool.package for tool in tools]
    missing = sorted({package for package in packages if not _installed(package)})
    if missing:
        raise ToolMissing(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed, and bitstreams for this "
            f"board need {'it' if len(missing) == 1 else 'them'}: pip install 'presparse[build]'"
        )
    return {package: version(package) for package in sorted({*packages, "amaranth", "amaranth-boards"})}


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package.replace("-", "_")) is not None
    except ValueError:  # of a module that Python was told not to find
        return False


class Workshop:
    """Runs tools in one folder; leaving the `with` block for whatever reason ends those that still run.

    Usable from several threads. A process also ends when this one does, even if it is killed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
            process.kill()
        for process in running:
            process.wait()

    def run(
        self, tool: Tool, arguments: Sequence[str], log: str, *, overdue: Callable[[], bool] = lambda: False
    ) -> int:
        """Run a tool to its end, or until it is `overdue`; all it says goes into the file `log`. Returns its exit
        status, negative if it was ended.

        Paths in `arguments` are relative to the folder: wheels see little else of the file system.
        """
        command = [sys.executable, "-m", "presparse_boards.flow.tool_process", tool.module, tool.function, *arguments]
        with (self.folder / log).open("wb") as said:
            with self._lock:
                if self._closed:
                    raise ToolFailed(f"{tool.name}: not started, because another step had failed")
                process = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    stdin=subprocess.PIPE,  # closes when this process ends, which ends the tool
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is this process's to handle
                    env={**os.environ, "TMPDIR": str(self.folder)},
                )
                self._running.add(process)
            try:
                while True:
                    try:
                        return process.wait(_LOOK_SECONDS)
                    except subprocess.TimeoutExpired:
                        if overdue():
                            process.kill()
            finally:
                with self._lock:
                    self._running.discard(process)
                if process.stdin is not None:
                    process.stdin.close()

    def check(self, tool: Tool, arguments: Sequence[str], log: str) -> None:
        """Run a tool. Raises ToolFailed with its last words if it fails."""
        status = self.run(tool, arguments, log)
        if status:
            raise ToolFailed(f"{tool.name} ended with status {status}: {last_words(self.folder / log)}")


def last_words(log: Path) -> str:
    """The errors in a log, or its last lines."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "Error", "error"))]
    return " ".join((errors or lines)[-3:]) or "it said nothing"
