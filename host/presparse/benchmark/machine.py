"""The machine that measures."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from presparse.reference.native.compiler import find_compiler, flags
from presparse.support.child_processes import ChildProcesses
from presparse.support.processors import processors


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What absolute figures depend on."""

    processor: str
    cores: int
    """That this process may use. Everything is measured on one, but for tuned C on all."""
    compiler: str
    flags: str
    """Of the C programs."""
    torch: str

    @classmethod
    def here(cls) -> Machine:
        """Raises CompilerError."""
        with ChildProcesses() as children:
            _, said = children.listen([find_compiler(), "--version"])
        return cls(
            processor=_processor(),
            cores=processors(),
            compiler=said.partition("\n")[0],
            flags=" ".join(flags()),
            torch=_version("torch"),
        )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []  # not Linux
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
