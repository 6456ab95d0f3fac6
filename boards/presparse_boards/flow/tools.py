"""The programs that make bitstreams, from pip wheels, run as processes of their own."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Self

from presparse.support.child_processes import ChildProcesses
from presparse_boards.errors import ToolFailed, ToolMissing
from presparse_boards.families.toolchain import Tool


def tool_versions(tools: Sequence[Tool], libraries: Sequence[str] = ()) -> dict[str, str]:
    """Versions of the wheels that hold these programs, of Amaranth, which writes their input, and of `libraries` that
    a part of the design comes from.

    Raises ToolMissing.
    """
    packages = [tool.package for tool in tools]
    missing = sorted(
        {name for name in packages if not _installed(name)} | {n for n in libraries if not _distributed(n)}
    )
    if missing:
        raise ToolMissing(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed, and bitstreams for this "
            f"board need {'it' if len(missing) == 1 else 'them'}: pip install 'presparse[build]'"
        )
    return {package: version(package) for package in sorted({*packages, *libraries, "amaranth", "amaranth-boards"})}


def _distributed(library: str) -> bool:
    try:
        return bool(version(library))
    except PackageNotFoundError:
        return False


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
        self._children = ChildProcesses()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._children.__exit__(kind, error, trace)

    def run(self, tool: Tool, arguments: Sequence[str], log: str, *, overdue: Callable[[], bool] | None = None) -> int:
        """Run a tool to its end, or until it is `overdue`; all it says goes into the file `log`. Returns its exit
        status, negative if it was ended.

        Paths in `arguments` are relative to the folder: wheels see little else of the file system.
        """
        command = [sys.executable, "-m", "presparse_boards.flow.tool_process", tool.module, tool.function, *arguments]
        env = {**os.environ, "TMPDIR": str(self.folder)}
        with (self.folder / log).open("wb") as said:
            return self._children.run(command, said, folder=self.folder, env=env, overdue=overdue)

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
