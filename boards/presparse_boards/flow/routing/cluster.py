"""Runs of place-and-route on the workers of a cluster: each is a task of dask's, wherever a worker has room for it.

A run ends with its task. Dask stops no task that has begun; but a worker hears when the scheduler takes a task back:
its client has given it up, or is gone. So each run looks every second whether its worker still holds its task.
"""

from __future__ import annotations

import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from presparse.cluster import connect
from presparse.cluster.versions import check_same, versions
from presparse.errors import ClusterError, MissingExtra, PresparseError
from presparse.support.scratch import scratch_folder
from presparse_boards.families.toolchain import Tool
from presparse_boards.flow.routing.run import KILLED, Begin, Ended, Job, Runs, UnderWay, log_of, run
from presparse_boards.flow.tools import Workshop

if TYPE_CHECKING:
    from dask.typing import Key
    from distributed import Client, Future, Worker

RESOURCE = "route"
"""Of workers: how many runs they have room for. A run takes a processor, and of a large design some gigabytes."""
_TOPIC = "presparse-route"
"""Of dask's events that tell how far runs are; one for all builds, since a scheduler keeps each topic's last ones."""
_SILENCE_SECONDS = 60.0
"""After which it is asked whether there is any worker left."""

Files = Mapping[str, bytes]
"""Compressed contents by name."""


@contextmanager
def cluster_runs(address: str, tools: Iterable[Tool]) -> Iterator[Begin]:
    """What begins runs on the workers of the scheduler at `address`, which have these tools as they are here.

    Raises what `connect` does: nothing has been sent then.
    """
    packages = sorted({tool.package for tool in tools})
    with connect(address, packages=packages, resource=RESOURCE) as client:
        here = versions(packages)

        @contextmanager
        def begin(folder: Path, job: Job, seeds: Sequence[int]) -> Iterator[Runs]:
            tasks = _Tasks(client, packages, here, folder, job, seeds)
            try:
                yield tasks
            finally:
                tasks.close()

        yield begin


class _Tasks:
    def __init__(
        self,
        client: Client,
        packages: Sequence[str],
        here: Mapping[str, Any],
        folder: Path,
        job: Job,
        seeds: Sequence[int],
    ) -> None:
        self._client = client
        self._folder = folder
        self._heard: SimpleQueue[UnderWay | Ended | tuple[int, Future[Any]]] = SimpleQueue()
        self._last = time.monotonic()
        build = uuid4().hex
        client.subscribe_topic(_TOPIC, lambda event: self._told(build, *event[1]))
        room = _room(client)
        # By tasks and not scattered: if the only worker that has them is lost, they are made again. And since dask puts
        # a task where its inputs are, each worker gets its own before there is a seed to place.
        with warnings.catch_warnings(action="ignore"):  # of dask: that they are large
            inputs = client.submit(_itself, _packed(folder, job.inputs), key=f"presparse-inputs-{build}")
        self._copies = {
            where: client.submit(
                _itself, inputs, key=f"presparse-inputs-{build}-{where}", workers=[where], allow_other_workers=True
            )
            for where in room
        }
        self._futures: dict[int, Future[Any]] = {}
        for seed, where in zip(seeds, cycle(_turns(room)), strict=False):
            self._futures[seed] = client.submit(
                _run_there,
                build,
                job,
                self._copies[where],
                seed,
                packages,
                here,
                key=f"presparse-route-{build}-{seed}",
                resources={RESOURCE: 1},
                pure=False,
            )
            self._futures[seed].add_done_callback(self._done(seed))

    def next(self, seconds: float) -> UnderWay | Ended | None:
        """Raises ClusterError if the scheduler is gone, for a while there was no worker, or one has other tools."""
        try:
            heard = self._heard.get(timeout=seconds)
        except Empty:
            if time.monotonic() - self._last > _SILENCE_SECONDS:
                _room(self._client)
                self._last = time.monotonic()
            return None
        self._last = time.monotonic()
        if isinstance(heard, Ended):
            return heard
        seed = heard.seed if isinstance(heard, UnderWay) else heard[0]
        if seed not in self._futures:  # it has been stopped
            return None
        return heard if isinstance(heard, UnderWay) else self._result(*heard)

    def stop(self, seed: int) -> None:
        self._futures.pop(seed).release()
        self._heard.put(Ended(seed=seed, status=KILLED, seconds=inf))

    def close(self) -> None:
        """Nobody waits for tasks that still run."""
        self._client.unsubscribe_topic(_TOPIC)
        for future in (*self._futures.values(), *self._copies.values()):
            future.release()

    def _told(self, build: str, of: str, seed: int, seconds: float, routed: float | None, worker: str) -> None:
        if of == build:
            self._heard.put(UnderWay(seed=seed, seconds=seconds, routed=routed, worker=worker))

    def _done(self, seed: int) -> Callable[[Future[Any]], None]:
        return lambda future: self._heard.put((seed, future))

    def _result(self, seed: int, future: Future[Any]) -> Ended:
        from distributed import CancelledError, KilledWorker

        try:
            ended, files = future.result()
        except KilledWorker as error:  # and those that had it before
            lost = f"ERROR: {error.allowed_failures + 1} workers ended while they ran it, last {error.last_worker}\n"
            (self._folder / log_of(seed)).write_text(lost)
            ended, files = Ended(seed=seed, status=KILLED, seconds=inf), {}
        except (CancelledError, OSError) as error:
            raise _gone() from error
        except MissingExtra:
            raise
        except ImportError as error:
            raise ClusterError(
                f"a worker that came later has no {error.name}; there: pip install 'presparse[build,cluster]', and "
                "start it again"
            ) from error
        # What a worker still holds, and nobody waits for, is not made again if that worker is lost.
        self._futures.pop(seed).release()
        _unpack(files, self._folder)
        return ended


def _room(client: Client) -> dict[str, int]:
    """How many runs each worker has room for, by its address. Raises ClusterError if there is no such worker."""
    try:
        workers: Mapping[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    except OSError as error:
        raise _gone() from error
    room = {where: int(worker["resources"].get(RESOURCE, 0)) for where, worker in workers.items()}
    if not any(room.values()):
        address = client.scheduler.address  # pyright: ignore[reportOptionalMemberAccess]
        raise ClusterError(
            f"{address}: no worker with the resource {RESOURCE} is left; start one with `dask worker {address} "
            f"--resources {RESOURCE}=1`, and give the same command again"
        )
    return {where: runs for where, runs in room.items() if runs}


def _turns(room: Mapping[str, int]) -> list[str]:
    """Every worker as often as it has room; each once before one comes again."""
    return [where for turn in range(max(room.values())) for where, runs in room.items() if runs > turn]


def _gone() -> ClusterError:
    return ClusterError(
        "the scheduler is gone, and with it what workers were placing and routing; start it and its workers again, "
        "then give the same command again"
    )


def _itself(files: Files) -> Files:
    return files


def _run_there(
    build: str, job: Job, inputs: Files, seed: int, packages: Sequence[str], wanted: Mapping[str, Any]
) -> tuple[Ended, dict[str, bytes]]:
    """On a worker, in a thread of it; packages as `wanted`, for it may have come after the others were looked at."""
    from distributed import get_worker

    worker = get_worker()
    name, task = str(worker.name), worker.get_current_task()
    check_same(f"worker {name}", versions(packages), wanted, packages)

    def goes_on(state: UnderWay) -> bool:
        worker.log_event(_TOPIC, (build, seed, state.seconds, state.routed, name))
        return _is_wanted(worker, task)

    try:
        with scratch_folder() as folder, Workshop(folder) as workshop:
            _unpack(inputs, folder)
            ended = run(workshop, job, seed, goes_on)
            return ended, _packed(folder, (name for name in job.outputs_of(seed) if (folder / name).exists()))
    except PresparseError as error:
        raise ClusterError(f"worker {name}: {error}") from error


def _is_wanted(worker: Worker, key: Key) -> bool:
    """Whether anybody still waits for a task that runs: the scheduler, and at its other end a client."""
    from distributed import Status

    task = worker.state.tasks.get(key)
    closing = worker.status in (Status.closing, Status.closed, Status.failed)
    return not closing and task is not None and task.state == "executing"


def _packed(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    return {name: zlib.compress((folder / name).read_bytes(), level=1) for name in names}


def _unpack(files: Files, folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(zlib.decompress(content))
