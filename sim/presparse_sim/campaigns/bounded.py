"""No wait without an end: whoever is still busy after a time is stopped, and says where it was."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 120.0
"""Seconds: a hundred times what the longest step of a campaign takes."""


@contextmanager
def bounded(seconds: float = LIMIT) -> Iterator[None]:
    """Ends the process with status 1 and every thread's traceback, should the block take longer; native code too."""
    assert sys.__stderr__ is not None
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
