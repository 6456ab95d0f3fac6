"""Trials on clusters: the same ones as anywhere, whoever is killed meanwhile."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from presparse.cluster import connect
from presparse.errors import ArgumentError, ClusterError
from presparse.trials import cluster_workers
from presparse.trials.cluster_workers import on_cluster
from presparse.trials.conduct import conduct
from presparse.trials.journal import Journal
from presparse.trials.trial import Trial
from presparse.trials.workers import Workers, processes
from tests.cluster_programs import ROOT, Cluster
from tests.host.trials import halving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

WEIGHTS = [0.5] * 1000


@pytest.fixture(scope="module")
def three() -> Iterator[str]:
    """The address of three worker processes."""
    options: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    local: Any = LocalCluster(n_workers=3, threads_per_worker=1, processes=True, **options)
    with local as cluster:
        yield cluster.scheduler_address


@contextmanager
def _of(folder: Path, workers: int) -> Iterator[Cluster]:
    """A scheduler, and so many workers."""
    with Cluster(folder / "cluster") as started:
        for number in range(workers):
            started.worker(str(number))
        yield started


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Cluster]:
    """Two workers that may be killed."""
    with _of(tmp_path, 2) as started:
        yield started


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """The trials of one process, by what they do."""

    @cache
    def trials(run: str) -> list[str]:
        with processes(1) as workers:
            return made(tmp_path_factory.mktemp("alone") / "trials.jsonl", workers, run)

    return trials


def made(path: Path, workers: Workers, run: str, told: Any = lambda *_: None) -> list[str]:
    arguments = (lambda trial: ()) if run != "with_weights" else partial(_further, workers.share(WEIGHTS))
    with Journal.alone(path) as journal:
        conduct(halving.plan, getattr(halving, run), journal, workers, told=told, arguments=arguments)
    return halving.trials_of(path)


def _further(weights: object, trial: Trial) -> tuple[object, int]:
    return weights, trial["shape"][0]


@pytest.mark.parametrize("run", ["score", "with_weights", pytest.param("trained", marks=pytest.mark.nightly)])
def test_the_trials_of_a_cluster_are_those_of_a_process(
    run: str, three: str, alone: Callable[[str], list[str]], tmp_path: Path
) -> None:
    with on_cluster(three) as workers:
        assert made(tmp_path / "trials.jsonl", workers, run) == alone(run)


def test_a_worker_needs_torch_and_a_scheduler_does_not(two: Cluster) -> None:
    """One thread of it. The function is one that no module has."""

    def mine(n: int) -> tuple[int, int]:
        import torch

        return n, torch.get_num_threads()

    with on_cluster(two.address) as workers:
        assert workers.submit(mine, 3).result() == (3, 1)
        assert workers.submit(halving.trained, halving.plan([])[0]).result()["score"] > 0
    with connect(two.address) as client:
        assert not client.run_on_scheduler(lambda: {"torch", "presparse.train"} & set(sys.modules))


def test_results_wait_for_nobody_elses_callback(three: str) -> None:
    """Dask has one thread for all callbacks of a process."""
    end = threading.Event()
    with connect(three) as client, on_cluster(three) as workers:
        held = client.submit(abs, -1)
        held.add_done_callback(lambda _: end.wait(120))
        held.result()
        try:
            assert workers.submit(abs, -2).result(timeout=60) == 2
        finally:
            end.set()


def test_a_trial_that_fails_names_its_worker_and_ends_the_others(
    three: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a word on stderr: what dask would log here is about futures that nobody asks for any more."""
    with (
        pytest.raises(ArgumentError, match=r"^worker [0-2] at tcp://.*: five; no five$") as raised,
        on_cluster(three) as workers,
    ):
        made(tmp_path / "trials.jsonl", workers, "fails")
    assert raised.value.mend == "no five"
    assert "future" not in capfd.readouterr().err


def test_ctrl_c_waits_for_no_trial(two: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), on_cluster(two.address) as workers:
        made(tmp_path / "trials.jsonl", workers, "slow", interrupt)
    assert time.monotonic() - began < 40
    assert capfd.readouterr().err == ""
    assert len(halving.trials_of(tmp_path / "trials.jsonl")) == 1


def test_a_worker_that_is_killed_costs_its_trial_only(
    two: Cluster, alone: Callable[[str], list[str]], tmp_path: Path
) -> None:
    """First one, then all that have what is shared."""

    def kill(done: int, of: int, trial: Trial) -> None:
        for _ in range({2: 1, 5: len(two.workers)}.get(done, 0)):
            two.kill(next(iter(two.workers)))
        if done == 5:
            two.worker("later")

    with on_cluster(two.address) as workers:
        assert made(tmp_path / "trials.jsonl", workers, "with_weights", kill) == alone("with_weights")


def test_a_scheduler_that_is_killed_costs_the_trials_that_are_going(
    two: Cluster, alone: Callable[[str], list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    killed: list[float] = []

    def kill(done: int, of: int, trial: Trial) -> None:
        if done == 3:
            two.scheduler.kill()
            killed.append(time.monotonic())

    with (
        pytest.raises(ClusterError, match=r"the scheduler has gone; start it .* then the same command goes on"),
        on_cluster(two.address) as workers,
    ):
        made(tmp_path / "trials.jsonl", workers, "slow_score", kill)
    assert time.monotonic() - killed[0] < 30
    assert 3 <= len(halving.trials_of(tmp_path / "trials.jsonl")) < 12
    assert capfd.readouterr().err == ""
    with processes(1) as workers:
        assert made(tmp_path / "trials.jsonl", workers, "score") == alone("score")


def test_a_client_that_is_killed_costs_the_trials_that_are_going(
    two: Cluster, alone: Callable[[str], list[str]], tmp_path: Path
) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from presparse.trials.cluster_workers import on_cluster\n"
        "from tests.host.trials.test_cluster_workers import made\n"
        "with on_cluster(sys.argv[1]) as workers:\n"
        "    made(Path('trials.jsonl'), workers, 'slow_score', lambda *_: print('one', flush=True))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(
        [sys.executable, "-c", code, two.address], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "one\n"
        running.kill()
    assert 1 <= len(halving.trials_of(tmp_path / "trials.jsonl")) < 12
    with on_cluster(two.address) as workers:
        assert made(tmp_path / "trials.jsonl", workers, "score") == alone("score")


def test_a_trial_that_kills_its_workers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    with (
        _of(tmp_path, 2) as started,
        pytest.raises(ClusterError, match="every worker that made a certain trial ended"),
        on_cluster(started.address) as workers,
    ):
        made(tmp_path / "trials.jsonl", workers, "killed")


def test_nobody_waits_for_ever_where_all_workers_have_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_workers, "_WITHOUT_WORKERS", 1.0)
    monkeypatch.setattr("presparse.trials.conduct._LOOK_SECONDS", 0.5)

    with (
        _of(tmp_path, 1) as started,
        pytest.raises(ClusterError, match=rf"{started.address}: no worker has been there for 1 s; start some with"),
        on_cluster(started.address) as workers,
    ):
        made(
            tmp_path / "trials.jsonl",
            workers,
            "slow_score",
            lambda *_: started.workers["0"].send_signal(signal.SIGKILL),
        )


def test_a_worker_that_comes_later_with_other_versions_makes_no_trial(
    three: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked of it says with which versions."""
    with on_cluster(three) as workers:
        versions: Any = {**workers._versions}  # pyright: ignore[reportAttributeAccessIssue]
        versions["packages"] = {**versions["packages"], "numpy": "1.0"}
        monkeypatch.setattr(workers, "_versions", versions)
        with pytest.raises(ClusterError, match=r"worker [0-2] at tcp://.* has numpy .* \(here: 1.0\); there: pip inst"):
            workers.submit(abs, -1).result()


@pytest.mark.nightly
def test_workers_with_threads_make_no_trials(tmp_path: Path) -> None:
    with _of(tmp_path, 0) as started:
        started.worker("both", threads=2)
        connect(started.address).close()  # place-and-route takes no random numbers
        with (
            pytest.raises(ClusterError, match=r"worker both at tcp.* has 2 threads.*--nworkers 2 --nthreads 1`$"),
            on_cluster(started.address),
        ):
            pass
