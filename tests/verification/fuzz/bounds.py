"""Bounds on what reading one input may take: seconds, and memory on top of what the process has."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 10
MEMORY = 1 << 30
"""Bytes."""
_SIZE = Path("/proc/self/statm")


class TooSlow(Exception):
    """An input took longer than it may."""


def limit_memory(memory: int = MEMORY) -> tuple[int, int]:
    """From now on this process gets no more than `memory` on top, then MemoryError; returns the limits before.

    On Linux; elsewhere it changes nothing (the size of a process is not known there).
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    if _SIZE.exists():
        size = int(_SIZE.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, before[1]))
    return before


@contextmanager
def bounded(seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """Raises TooSlow or MemoryError out of the block where it takes more. In the main thread only."""

    def stop(number: int, frame: object) -> None:
        raise TooSlow(f"more than {seconds} seconds")

    handler = signal.signal(signal.SIGALRM, stop)
    limits = limit_memory(memory)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, handler)
