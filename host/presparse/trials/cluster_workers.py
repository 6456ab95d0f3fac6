"""Trials on other computers, by workers of dask.distributed."""

from __future__ import annotations

import asyncio
import pickle
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from functools import partial
from typing import Any

from presparse.cluster import connect
from presparse.cluster.versions import check_same, versions
from presparse.errors import ClusterError, MissingExtra, PresparseError
from presparse.trials import running
from presparse.trials.workers import Workers

_WITHOUT_WORKERS = 300.0
"""Seconds that trials wait for a worker when all have gone: batch systems end them, and start new ones."""


@contextmanager
def on_cluster(address: str) -> Iterator[Workers]:
    """The workers of a dask scheduler at an address such as tcp://host:8786. They stay, and so does the scheduler.

    A worker that goes costs the trial that it was making, which another one makes again. The trial that a worker is
    making when the block ends too early is made to its end there, and nobody hears of it.

    Raises what `connect` raises; ClusterError if the scheduler goes, if there has been no worker for five
    minutes, or if every worker that makes a certain trial goes.
    """
    from distributed import KilledWorker
    from distributed.client import ClosedClientError

    client = connect(address, trains=True)
    try:
        yield _OnCluster(client, address)
    except KilledWorker as error:
        raise ClusterError(
            f"{address}: every worker that made a certain trial ended in the middle of it, perhaps because memory is "
            "short; start workers with more, then the same command goes on with the trials that were made"
        ) from error
    except (CancelledError, ClosedClientError, OSError) as error:
        if isinstance(error, OSError) and client.status == "running":
            raise  # of a trial
        raise _scheduler_gone(address) from error
    finally:
        client.close()


def _scheduler_gone(address: str) -> ClusterError:
    return ClusterError(
        f"{address}: the scheduler has gone; start it and its workers again, then the same command goes on with the "
        "trials that were made"
    )


class _OnCluster:
    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self._versions = versions(trains=True)
        self._seen = time.monotonic()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        asked = self._client.submit(_run, self._versions, _pickled(function), *arguments, pure=False)
        future: Future[Any] = Future()
        self._client.loop.add_callback(_fetch, asked, future)
        future.add_done_callback(lambda ended: asked.cancel() if ended.cancelled() and not asked.done() else None)
        return future

    def share(self, value: object) -> object:
        """A task that has the value: where a worker goes that had it, the scheduler lets another one unpickle it
        again. (What is scattered would be lost.)"""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is large: it is sent once
            return self._client.submit(_unpickled, _pickled(value), pure=False)

    def check(self) -> None:
        if self._client.status != "running":
            raise _scheduler_gone(self._address)
        try:
            workers = self._client.nthreads()
        except OSError as error:
            raise _scheduler_gone(self._address) from error
        if workers:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _WITHOUT_WORKERS:
            raise ClusterError(
                f"{self._address}: no worker has been there for {_WITHOUT_WORKERS:g} s; start some with "
                f"`dask worker {self._address}`, then the same command goes on with the trials that were made"
            )


def _fetch(asked: Any, future: Future[Any]) -> None:
    """In the client's event loop, which the network cannot hold up: dask calls callbacks one after another in a thread
    of the process, and one that waits for a lost result would be the last. (Its own executor does as here, but trips
    over a future that is cancelled when it is about to end.)"""
    asyncio.ensure_future(asked._result()).add_done_callback(partial(_hand_on, future))


def _hand_on(future: Future[Any], fetched: asyncio.Future[Any]) -> None:
    error = CancelledError() if fetched.cancelled() else fetched.exception()
    if not future.set_running_or_notify_cancel():
        return  # nobody asks any more
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(fetched.result())


def _pickled(value: object) -> bytes:
    """The scheduler unpickles what it is sent, and has neither torch nor a use for it: bytes stay bytes there."""
    import cloudpickle  # takes functions of the main program, too

    return cloudpickle.dumps(value)


def _unpickled(content: bytes) -> Any:
    """In a worker."""
    try:
        return pickle.loads(content)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{_name()} needs the Python package {error.name}, which is not installed there: install what is installed "
            "here"
        ) from error


def _run(wanted: Mapping[str, Any], function: bytes, *arguments: Any) -> Any:
    """In a worker, which may have come after the others were looked at."""
    check_same(_name(), versions(trains=True), wanted, trains=True)
    called = _unpickled(function)
    try:
        return running.run(called, *arguments)
    except PresparseError as error:
        error.args = (f"{_name()}: {error}",)
        raise


def _name() -> str:
    from distributed import get_worker

    worker = get_worker()
    return f"worker {worker.name}" + ("" if worker.name == worker.address else f" at {worker.address}")
