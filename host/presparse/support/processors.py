"""How many processors there are to share work among."""

from __future__ import annotations

import os


def processors() -> int:
    """Processors that this process may use: at least 1, and fewer than the machine has where the process is bound
    to some of them (`taskset`, containers, batch systems)."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
