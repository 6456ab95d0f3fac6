"""A cluster that cannot be worked with is told: by address, worker, version and mend, in seconds, in one line."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from distributed import LocalCluster

from presparse import cluster
from presparse.cluster import connect
from presparse.cluster.versions import TRAINING, check_same, versions
from presparse.errors import ArgumentError, ClusterError, MissingExtra, PresparseError


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """The address of a program that is no scheduler; None: it is silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    asked, _ = server.accept()
                except OSError:
                    return
                held.append(asked)
                if answer is not None:
                    asked.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for each in held:
            each.close()


@pytest.mark.parametrize(
    "address",
    ["", "host", "host:8786", "http://host:8786", "tcp://host", "tcp://:8786", "tcp://host:0", "tcp://host:99999",
     "tcp://a b:1", "tcp://host:8786/x", "tcp://::1:8786", "tcp://host:8786\n"],
)  # fmt: skip
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(ArgumentError, match="is no address of a scheduler; give the one that `dask scheduler` prints"):
        connect(address)


@pytest.mark.slow
def test_nobody_is_there() -> None:
    for address in ("tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://nowhere.invalid:8786"):
        with pytest.raises(ClusterError) as raised:
            connect(address, seconds=0.5)
        assert str(raised.value).startswith(f"{address}: no dask scheduler answers there (nothing in 0.5 s); run")
    with pytest.raises(ArgumentError, match=r"names no certificate for tls; set distributed\.comm\.tls"):
        connect("tls://127.0.0.1:1", seconds=0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "nothing in 0.5 s"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "something else does"),
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "something else does"),
        (bytes(7) + b"\1", "something else does"),
        (b"\x18" + bytes(7) + b"\1" + bytes(7) + b"\x08" + bytes(7) + b"nonsense", "something else does"),
    ],
)
def test_something_else_is_there(answer: bytes | None, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    with listening(answer) as address, pytest.raises(ClusterError) as raised:
        connect(address, seconds=0.5)
    assert f"{address}: no dask scheduler answers there ({reason}); run `dask scheduler`" in str(raised.value)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.xdist_group("cluster")
def test_workers_are_waited_for_and_looked_at(capfd: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    local: Any = LocalCluster(n_workers=0, threads_per_worker=1, processes=True, **options)
    with local as started:
        address = started.scheduler_address
        with pytest.raises(ClusterError) as raised:
            connect(address, seconds=0.5)
        assert str(raised.value) == f"{address}: no worker is there; start one with `dask worker {address}`"
        threading.Timer(1.0, started.scale, args=(1,)).start()
        with connect(address, packages=("rich",), trains=True, seconds=60) as client:
            (worker,) = cast("dict[str, int]", client.nthreads())
        with pytest.raises(ClusterError, match=f"{worker}: a worker answers there, and no scheduler; give the address"):
            connect(worker, seconds=5)
        with pytest.raises(
            ClusterError, match=r"no worker has the resource route; start one with .* --resources route"
        ):
            connect(address, resource="route", seconds=0.5)
        with pytest.raises(MissingExtra, match=f"worker 0 at {worker} has no nonsense-package; there: pip install"):
            _connect_with(address, "nonsense-package", "3.1")
        with pytest.raises(ClusterError, match=r"has rich [0-9.]+ \(here: 0.1\); there: pip install rich==0.1, and"):
            _connect_with(address, "rich", "0.1")
    assert capfd.readouterr().err == ""


def _connect_with(address: str, package: str, version: str) -> None:
    """As from a computer that has the package in this version."""
    from distributed import versions as theirs

    known = theirs.get_package_info

    def with_package(packages: Any) -> dict[str, str | None]:
        return {**known(packages), package: version}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(theirs, "get_package_info", with_package)
        connect(address, packages=(package,)).close()


def changed(place: str, name: str, value: str | None) -> dict[str, Any]:
    """Versions of a computer that differs in one thing."""
    there = json.loads(json.dumps(versions(trains=True)))
    there[place][name] = value
    return there


@pytest.mark.parametrize(
    ("place", "name", "value", "kind", "told"),
    [
        ("host", "python", "3.8.1.final.0", ClusterError, "x runs Python 3.8, and this computer 3."),
        ("host", "machine", "vax", ClusterError, "x has a processor of the kind vax, and this computer "),
        ("packages", "presparse", "0.0.1", ClusterError, "there: pip install 'presparse[cluster]=="),
        ("packages", "presparse", None, MissingExtra, "x has no presparse; there: pip install 'presparse[cluster]=="),
        ("packages", "distributed", "1.0", ClusterError, "x has distributed 1.0 (here: "),
        ("packages", "torch", None, MissingExtra, "x has no torch; there: pip install torch=="),
        ("packages", "numpy", "1.0", ClusterError, "x has numpy 1.0 (here: "),
    ],
)
def test_what_differs_is_named(place: str, name: str, value: str | None, kind: type[PresparseError], told: str) -> None:
    with pytest.raises(kind) as raised:
        check_same("x", changed(place, name, value), versions(trains=True), trains=True)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    if name in TRAINING or name == "machine":  # place-and-route does not care
        check_same("x", changed(place, name, value), versions())


def test_what_makes_no_difference_is_none() -> None:
    """The last digit of Python, and how torch was packaged."""
    here = versions(trains=True)
    python = here["host"]["python"].rsplit(".", 3)[0]
    check_same("x", changed("host", "python", f"{python}.99.final.0"), here, trains=True)
    torch = here["packages"]["torch"].partition("+")[0]
    check_same("x", changed("packages", "torch", f"{torch}+cu999"), here, trains=True)


def test_all_that_is_missing_is_told_at_once() -> None:
    there = changed("packages", "torch", None)
    there["packages"] |= {"scipy": None, "numpy": "1.0"}
    with pytest.raises(
        MissingExtra, match=r"x has no scipy and no torch and numpy 1\.0 \(here: .*\); there: pip insta"
    ):
        check_same("x", there, versions(trains=True), trains=True)


def test_without_distributed_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['distributed'] = None\n"
        "from presparse.cluster import connect\n"
        "from presparse.errors import MissingExtra\n"
        "try:\n    connect('tcp://host:8786')\nexcept MissingExtra as error:\n    print(error.mend)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "pip install 'presparse[cluster]'\n"


def test_the_module_itself_needs_nothing() -> None:
    program = f"import sys; import {cluster.__name__}; assert not {{'distributed', 'dask'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
