"""Memory of a long run: whether it stays flat, and its picture; and what else a process holds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from presparse.support import atomic_files

MIB = 1 << 20
ALLOWED_MIB = 8.0
"""Growth that allocator and caches may still show: a leak of a kilobyte per session is more within an hour."""
_FEWEST = 10
"""Looks below which nothing can be said."""


@dataclass(frozen=True)
class Look:
    """Memory of this process at a time, and what it has open."""

    seconds: float
    """Since the run began."""
    mib: float
    """Resident."""
    descriptors: int = 0
    threads: int = 0

    @classmethod
    def now(cls, seconds: float) -> Look:
        process = psutil.Process()
        return cls(seconds, process.memory_info().rss / MIB, process.num_fds(), process.num_threads())


def growth(looks: Sequence[Look]) -> float:
    """MiB by which memory grew while the run went on: the median of the last fifth less that of the second fifth.

    The first fifth is left out: compiled simulations, caches and the allocator fill up. 0 for fewer than 10 looks.
    """
    if len(looks) < _FEWEST:
        return 0.0
    fifth = len(looks) // 5
    return _median(looks[-fifth:]) - _median(looks[fifth : 2 * fifth])


def plot(looks: Sequence[Look], path: Path) -> None:
    """Write a PNG. Needs the extra "report"."""
    from presparse.report.style import BLUE, figure, plain, png  # matplotlib, where it is needed only

    drawn = figure(8, 3.2)
    axes = plain(drawn.subplots())
    axes.plot([look.seconds / 60 for look in looks], [look.mib for look in looks], color=BLUE)
    axes.set_ylim(0, 1.2 * max(look.mib for look in looks))
    axes.set_xlabel("minutes")
    axes.set_ylabel("resident memory, MiB")
    atomic_files.write(path, png(drawn))


def _median(looks: Sequence[Look]) -> float:
    return statistics.median(look.mib for look in looks)
