"""A client of a scheduler, if there is one, and workers that are fit for the work."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from presparse.cluster.versions import check_same, compared
from presparse.errors import ArgumentError, ClusterError, MissingExtra

if TYPE_CHECKING:
    from distributed import Client

_ADDRESS = re.compile(r"(?:tcp|tls)://(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_OTHER_WORDS = (MemoryError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError, EOFError)
"""What comes of reading another program's words as dask's: the first eight bytes, say, as a length."""


def connect(
    address: str, *, packages: Sequence[str] = (), trains: bool = False, resource: str = "", seconds: float = 10.0
) -> Client:
    """A client of the scheduler at an address such as tcp://host:8786, after a look at its workers.

    Presparse, distributed and Python (3.11, say) must be the same on scheduler, workers and here.

    Parameters
    ----------
    packages : Python packages that must have the same version on all workers and here, too
    trains : for trainings, whose bits depend on more: the packages of `TRAINING`, the kind of processor (others add
        floating-point numbers in another order), and one thread a worker (torch's random numbers are the process's)
    resource : only workers with this resource count, as `dask worker --resources NAME=1` gives it; default: all do
    seconds : for the scheduler to answer, and then for the first worker to be there

    Raises MissingExtra without distributed here, or without a package elsewhere; ArgumentError for what is no address;
    ClusterError if no scheduler answers there, no worker is there, or somebody has another version.
    """
    if not (parts := _ADDRESS.fullmatch(address)) or not 0 < int(parts[1]) < 1 << 16:
        raise ArgumentError(
            f"{address!r} is no address of a scheduler; give the one that `dask scheduler` prints, such as "
            "tcp://192.168.1.2:8786"
        )
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"work on other computers needs the Python package {error.name}, which is not installed: "
            "pip install 'presparse[cluster]'"
        ) from error
    # It prints a traceback when a scheduler goes, which whoever waits for something tells in a line.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    _check_is_scheduler(address, seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which are compared below
            client = Client(address, timeout=seconds, set_as_default=False)
    except OSError as error:
        raise _no_scheduler(address, f"nothing in {seconds:g} s") from error
    try:
        _check_workers(client, _workers(client, resource, seconds), packages, trains)
    except OSError as error:
        client.close()
        raise _no_scheduler(address, "any more") from error
    except BaseException:
        client.close()
        raise
    return client


def _no_scheduler(address: str, reason: str) -> ClusterError:
    return ClusterError(
        f"{address}: no dask scheduler answers there ({reason}); run `dask scheduler` on that computer, and give the "
        "address that it prints"
    )


def _check_is_scheduler(address: str, seconds: float) -> None:
    """A Client waits for ever where something else listens, and tells of it in tracebacks."""
    from distributed.security import Security

    security = Security().get_connection_args("client")
    if address.startswith("tls://") and security["ssl_context"] is None:
        raise ArgumentError(
            f"{address}: the dask configuration of this computer names no certificate for tls; set "
            "distributed.comm.tls in it, or give a tcp address"
        )
    with ThreadPoolExecutor(1) as aside:  # this thread may have an event loop of its own, as in notebooks
        try:
            kind = aside.submit(asyncio.run, _identity(address, security, seconds)).result()["type"]
        except OSError as error:
            raise _no_scheduler(address, f"nothing in {seconds:g} s") from error
        except _OTHER_WORDS as error:
            raise _no_scheduler(address, "something else does") from error
    if kind != "Scheduler":
        raise ClusterError(
            f"{address}: a {kind.lower()} answers there, and no scheduler; give the address that `dask scheduler` "
            "printed"
        )


async def _identity(address: str, security: dict[str, Any], seconds: float) -> dict[str, Any]:
    from distributed.comm.core import connect
    from distributed.core import send_recv

    comm = await asyncio.wait_for(connect(address, timeout=seconds, **security), seconds + 1)
    try:
        return cast(dict[str, Any], await asyncio.wait_for(send_recv(comm, op="identity"), seconds))
    finally:
        comm.abort()


def _workers(client: Client, resource: str, seconds: float) -> dict[str, dict[str, Any]]:
    """What is known of the workers that count, by their addresses; waits until there is one."""
    until = time.monotonic() + seconds
    while True:
        workers: dict[str, dict[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
        found = {
            where: worker for where, worker in workers.items() if not resource or worker["resources"].get(resource)
        }
        if found:
            return found
        if time.monotonic() > until:
            break
        time.sleep(0.1)
    wanted = f" --resources {resource}=1" if resource else ""
    none = f"no worker has the resource {resource}" if workers else "no worker is there"
    raise ClusterError(f"{_address(client)}: {none}; start one with `dask worker {_address(client)}{wanted}`")


def _address(client: Client) -> str:
    return cast(str, client.scheduler.address)  # pyright: ignore[reportOptionalMemberAccess]


def _check_workers(
    client: Client, workers: Mapping[str, Mapping[str, Any]], packages: Sequence[str], trains: bool
) -> None:
    found = cast(Mapping[str, Any], client.get_versions(packages=compared(packages, trains)))
    here = found["client"]
    check_same("the scheduler", found["scheduler"], here)
    for where, worker in workers.items():
        who = f"worker {worker['name']}" + ("" if where == worker["name"] else f" at {where}")
        if where in found["workers"]:  # else it has just gone
            check_same(who, found["workers"][where], here, packages, trains)
        if trains and (threads := worker["nthreads"]) != 1:
            raise ClusterError(
                f"{who} has {threads} threads, and trials in one process share their random numbers; start it with "
                f"`dask worker {_address(client)} --nworkers {threads} --nthreads 1`"
            )
