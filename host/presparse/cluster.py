"""Many computers that work for one: workers of dask.distributed, behind its scheduler.

Presparse starts neither; whoever has computers has a way to start programs there (docs/cluster.md). It only connects,
and looks whether everyone has the same versions, so that no result depends on where it was made.
"""

from __future__ import annotations

import asyncio
import re
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from presparse.errors import ArgumentError, ClusterError, MissingExtra

if TYPE_CHECKING:
    from distributed import Client

TRAINING = ("numpy", "scipy", "scikit-learn", "torch")
"""The packages that decide the bits of a training, beside Presparse itself."""

_EVERYWHERE = ("presparse", "distributed")
_ADDRESS = re.compile(r"(?:tcp|tls)://(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_OTHER_WORDS = (MemoryError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError, EOFError)
"""What comes of reading another program's words as dask's: the first eight bytes, say, as a length."""


def connect(
    address: str, *, packages: Sequence[str] = (), alike: bool = False, resource: str = "", seconds: float = 10.0
) -> Client:
    """A client of the scheduler at an address such as tcp://host:8786, after a look at its workers.

    Presparse, distributed and Python (3.11, say) must be the same on scheduler, workers and here.

    Parameters
    ----------
    packages : Python packages that must have the same version on all workers and here, such as `TRAINING`
    alike : whether all computers must have processors of the same kind: others add floating-point numbers in another
        order
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
    _check_is_scheduler(address, seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which are compared below
            client = Client(address, timeout=seconds, set_as_default=False)
    except OSError as error:
        raise _no_scheduler(address, f"nothing in {seconds:g} s") from error
    try:
        _check_versions(client, _workers(client, resource, seconds), packages, alike)
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
    from distributed.comm import connect
    from distributed.core import send_recv

    comm = await asyncio.wait_for(connect(address, timeout=seconds, **security), seconds + 1)
    try:
        return await asyncio.wait_for(send_recv(comm, op="identity"), seconds)
    finally:
        comm.abort()


def _workers(client: Client, resource: str, seconds: float) -> dict[str, str]:
    """Names by addresses, of the workers that count; waits until there is one."""
    until = time.monotonic() + seconds
    while True:
        workers: dict[str, dict[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
        found = {
            where: str(worker["name"])
            for where, worker in workers.items()
            if not resource or worker["resources"].get(resource)
        }
        if found:
            return found
        if time.monotonic() > until:
            break
        time.sleep(0.1)
    address = client.scheduler.address  # pyright: ignore[reportOptionalMemberAccess]
    wanted = f" --resources {resource}=1" if resource else ""
    none = f"no worker has the resource {resource}" if workers else "no worker is there"
    raise ClusterError(f"{address}: {none}; start one on each computer with `dask worker {address}{wanted}`")


def _check_versions(client: Client, workers: Mapping[str, str], packages: Iterable[str], alike: bool) -> None:
    packages = (*_EVERYWHERE, *packages)
    found: Mapping[str, Any] = client.get_versions(packages=packages)
    here = found["client"]
    _check_same("the scheduler", found["scheduler"], here, _EVERYWHERE, alike=False)
    for where, name in workers.items():
        if where in found["workers"]:  # else it has just gone
            who = f"worker {name}" if name == where else f"worker {name} at {where}"
            _check_same(who, found["workers"][where], here, packages, alike)


def _check_same(
    who: str, there: Mapping[str, Any], here: Mapping[str, Any], packages: Iterable[str], alike: bool
) -> None:
    python, ours = (".".join(each["host"]["python"].split(".")[:2]) for each in (there, here))
    if python != ours:
        raise ClusterError(f"{who} runs Python {python}, and this computer {ours}; start it with Python {ours}")
    machine, own = there["host"]["machine"], here["host"]["machine"]
    if alike and machine != own:
        raise ClusterError(
            f"{who} has a processor of the kind {machine}, and this computer {own}, which round sums differently; "
            f"use workers of the kind {own}"
        )
    lacks: list[str] = []
    others: list[str] = []
    mend: list[str] = []
    for package in packages:
        # What follows a + is how it was packaged, such as +cpu.
        version, wanted = ((each["packages"][package] or "").partition("+")[0] for each in (there, here))
        if version == wanted:
            continue
        if version:
            others.append(f"{package} {version} (here: {wanted or 'none'})")
        else:
            lacks.append(package)
        mend.append(f"{package}=={wanted}" if package != "presparse" else f"'presparse[cluster]=={wanted}'")
    if lacks:
        raise MissingExtra(
            f"{who} has no {' and no '.join(lacks)}; there: pip install {' '.join(mend)}, and start it again"
        )
    if others:
        raise ClusterError(f"{who} has {', '.join(others)}; there: pip install {' '.join(mend)}, and start it again")
