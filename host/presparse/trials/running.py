"""What happens in the process that makes a trial, wherever that is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ALONE = threading.RLock()


def run(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function as every trial is called: alone in its process, with one thread of torch.

    Torch draws from random numbers that belong to the process, and adds numbers in an order that depends on how many
    threads it has; with this, a trial's bits depend on neither.
    """
    with _ALONE, _one_thread():
        return function(*arguments)


@contextmanager
def _one_thread() -> Iterator[None]:
    try:
        import torch
    except ModuleNotFoundError:  # then no trial has it either
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
