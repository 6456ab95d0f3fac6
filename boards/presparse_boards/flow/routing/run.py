"""One run of place-and-route, which is one seed: the same in a thread here and on a worker of a cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from presparse_boards.families.toolchain import Tool
from presparse_boards.flow.tools import Workshop

_WIRES = re.compile(r"^Info: Routing (\d+) arcs", re.MULTILINE)
_WIRES_LEFT = re.compile(r"^Info:\s+\d+ \|[^|]*\|[^|]*\|\s+(\d+)\|", re.MULTILINE)
KILLED = -9
"""The status of a tool that did not end by itself."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the runs of all seeds have in common: plain data, which is sent to workers."""

    tool: Tool
    arguments: tuple[str, ...]
    inputs: tuple[str, ...]
    """Files that the tool reads."""
    routed: tuple[str, str]
    """The option that names the placed and routed design, and its file's suffix."""

    def design_of(self, seed: int) -> str:
        return f"route-{seed}{self.routed[1]}"

    def outputs_of(self, seed: int) -> tuple[str, str, str]:
        return self.design_of(seed), report_of(seed), log_of(seed)


def report_of(seed: int) -> str:
    return f"report-{seed}.json"


def log_of(seed: int) -> str:
    """The file that place-and-route with this seed writes its log to."""
    return f"route-{seed}.log"


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """How far a run is."""

    seed: int
    seconds: float
    """Since it began."""
    routed: float | None
    """Share of the wires; None: cells are still being placed."""
    worker: str = ""
    """None: it is here."""

    def __str__(self) -> str:
        state = "placing" if self.routed is None else f"{self.routed:.1%} routed"
        return f"seed {self.seed} {state}" + (f" on {self.worker}" if self.worker else "")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run that came to its end, or was ended."""

    seed: int
    status: int
    """Of the tool; negative if it was ended."""
    seconds: float


class Runs(Protocol):
    """Runs with several seeds, under way side by side."""

    def next(self, seconds: float) -> UnderWay | Ended | None:
        """What is heard next of any, within so many seconds: each tells every second how far it is. When it is told
        that one has ended, its files are in the folder. None: nothing was heard.

        Raises what keeps them from going on.
        """
        ...

    def stop(self, seed: int) -> None:
        """It then ends within some seconds."""
        ...


Begin = Callable[[Path, Job, Sequence[int]], AbstractContextManager[Runs]]
"""Begins the runs of a job with seeds; its files are in the folder. Leaving the `with` block, for whatever reason, ends
those that still run."""


def run(workshop: Workshop, job: Job, seed: int, goes_on: Callable[[UnderWay], bool]) -> Ended:
    """To its end, or until it is told not to go on: asked every second."""
    began = time.monotonic()

    def overdue() -> bool:
        seconds = time.monotonic() - began
        return not goes_on(UnderWay(seed=seed, seconds=seconds, routed=_routed(workshop.folder / log_of(seed))))

    outputs = [job.routed[0], job.design_of(seed), "--report", report_of(seed), "--seed", str(seed)]
    arguments = [*job.arguments, *outputs, "--timing-allow-fail"]
    status = workshop.run(job.tool, arguments, log_of(seed), overdue=overdue)
    return Ended(seed=seed, status=status, seconds=time.monotonic() - began)


def _routed(log: Path) -> float | None:
    """Share of the wires, by its log: nobody knows when a router ends, but its wires tell whether it gets on."""
    text = log.read_text(errors="replace")
    if wires := _WIRES.search(text):
        left = _WIRES_LEFT.findall(text) or [wires[1]]
        return 1 - int(left[-1]) / int(wires[1])
    return None
