"""Who makes trials: processes of this computer, or an executor that a user has. Other computers: `cluster_workers`."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import Any, Protocol

from presparse.errors import ArgumentError
from presparse.support.interrupts import REQUESTS
from presparse.support.scratch import scratch_folder
from presparse.trials import running


class Workers(Protocol):
    """As long as the `with` block runs that opened them. Functions and arguments are pickled."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call a function as trials are called (`running.run`); an argument that is a stand-in arrives as its value."""
        ...

    def share(self, value: object) -> object:
        """A stand-in for a value that many trials take: it is sent to each worker once, and not with every trial."""
        ...

    def check(self) -> None:
        """Called now and then while nothing happens. Raises ClusterError if nothing ever will."""
        ...


@contextmanager
def processes(jobs: int) -> Iterator[Workers]:
    """So many processes of this computer. They end with the block, without waiting for trials if it fails, and with
    this process, however that ends.

    Raises ArgumentError if the operating system ends one, as it does when memory is short; CacheError if there is no
    room for temporary files.
    """
    others = active_children()
    with (
        scratch_folder() as folder,
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin) as pool,
    ):
        try:
            yield _OnExecutor(pool, folder)
        except BrokenProcessPool as error:
            raise ArgumentError(
                "a trial was ended from outside, perhaps because memory is short; the others were kept: go on with "
                f"fewer --jobs than {jobs}; in a program of your own, call this behind if __name__ == '__main__'"
            ) from error
        except BaseException:
            for worker in active_children():
                if worker not in others:
                    worker.kill()
            raise


@contextmanager
def given(executor: Executor) -> Iterator[Workers]:
    """An executor of the user's own, which stays open. Its workers must see this computer's temporary files, if
    anything is shared.

    Raises ArgumentError if it does not take trials (any more); CacheError if there is no room for temporary files.
    """
    with scratch_folder() as folder:
        workers = _OnExecutor(executor, folder)
        try:
            yield workers
        except (CancelledError, BrokenExecutor) as error:
            raise ArgumentError(
                f"the executor {type(executor).__name__} ended before the trials; those that were made were kept: "
                "go on with a new one"
            ) from error
        finally:
            for future in list(workers.asked):
                future.cancel()


@dataclass
class _OnExecutor:
    executor: Executor
    folder: Path
    """Of what is shared."""
    shared: int = 0
    asked: set[Future[Any]] = field(default_factory=set)
    """Those that nobody has made yet."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        try:
            future = self.executor.submit(_run, function, *arguments)
        except BrokenExecutor:
            raise
        except RuntimeError as error:  # so executors say that they were shut down
            raise CancelledError from error
        self.asked.add(future)
        future.add_done_callback(self.asked.discard)
        return future

    def share(self, value: object) -> object:
        self.shared += 1
        stand_in = _Shared(self.folder / f"{self.shared}.pickle")
        with stand_in.path.open("wb") as file:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        return stand_in

    def check(self) -> None:
        """A pool tells by itself."""


@dataclass(frozen=True)
class _Shared:
    """A value that is in a file."""

    path: Path


_VALUES: dict[_Shared, object] = {}
"""Those that this process has read: of one block alone, for they may be large."""


def _run(function: Callable[..., Any], *arguments: Any) -> Any:
    """In a worker."""
    return running.run(_with_values, function, arguments)


def _with_values(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*(_value(each) if isinstance(each, _Shared) else each for each in arguments))


def _value(shared: _Shared) -> object:
    if any(other.path.parent != shared.path.parent for other in _VALUES):
        _VALUES.clear()
    if shared not in _VALUES:
        try:
            with shared.path.open("rb") as file:
                _VALUES[shared] = pickle.load(file)
        except FileNotFoundError as error:
            raise ArgumentError(
                f"{shared.path}: a worker of the executor does not see this file of the computer that gave the orders; "
                "set the environment variable TMPDIR to a folder that all of them have"
            ) from error
    return _VALUES[shared]


def _begin() -> None:
    """In every process of our own. Requests to end are for who gave the orders: a training that heard one would end
    early, and count."""
    for number in REQUESTS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would keep its memory, and wait for orders for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
