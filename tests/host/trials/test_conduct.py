"""Trials on this computer: each made once, the same ones whoever makes them, none lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from presparse.errors import ArgumentError
from presparse.trials import workers as workers_module
from presparse.trials.conduct import conduct
from presparse.trials.journal import Journal
from presparse.trials.trial import Done, Figures, Trial
from presparse.trials.workers import Workers, given, processes
from tests.cluster_programs import ROOT
from tests.host.trials import halving

WEIGHTS = [0.5] * 1000
ALL = sum(halving.RUNGS)


class Immediately(Executor):
    """Makes what it is given at once."""

    submitted = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args))
        return future


class LastFirst(Workers):
    """Nothing is done until all wait; then one trial is, the one that was submitted last."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Future[Any], Any]] = []

    def submit(self, function: Any, *arguments: Any) -> Future[Any]:
        self._waiting.append((Future(), partial(function, *arguments)))
        return self._waiting[-1][0]

    def share(self, value: object) -> object:
        return value

    def check(self) -> None:
        future, made = self._waiting.pop()
        future.set_result(made())


def conducted(path: Path, workers: Workers, run: str = "score", told: Any = lambda *_: None) -> Done:
    with Journal.alone(path) as journal:
        return conduct(halving.plan, getattr(halving, run), journal, workers, told=told)


@pytest.fixture
def expected(tmp_path: Path) -> list[str]:
    """The trials of a process that makes one after another."""
    path = tmp_path / "expected.jsonl"
    with given(Immediately()) as workers:
        conducted(path, workers)
    return halving.trials_of(path)


# --- what is planned and made -----------------------------------------------------------------------


def test_later_trials_follow_from_earlier_ones(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = tmp_path / "trials.jsonl"
    with given(Immediately()) as workers:
        done = conducted(path, workers, told=lambda made, of, trial: told.append((made, of)))
    assert [made for made, _ in told] == list(range(1, ALL + 1))
    assert [of for _, of in told] == [12] * 12 + [16] * 4 + [17]
    assert [trial["rung"] for trial, _ in done] == [0] * 12 + [1] * 4 + [2]
    assert done[-1][0]["was"] == max(figures["score"] for trial, figures in done if trial["rung"] == 1)


def test_what_is_there_is_not_made_again(tmp_path: Path, expected: list[str]) -> None:
    """Wherever it was cut off, and whatever was made out of order."""
    lines = (tmp_path / "expected.jsonl").read_text().splitlines()
    for kept in (lines[:0], lines[:5], lines[3:9], lines[:12], lines[:13], lines):
        path = tmp_path / "trials.jsonl"
        path.write_text("".join(f"{line}\n" for line in kept))
        executor = Immediately()
        with given(executor) as workers:
            conducted(path, workers)
        assert halving.trials_of(path) == expected
        assert executor.submitted == ALL - len(kept)


def test_the_order_in_which_trials_end_changes_nothing(
    tmp_path: Path, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presparse.trials.conduct._LOOK_SECONDS", 0.0)
    path = tmp_path / "trials.jsonl"
    conducted(path, LastFirst())
    assert halving.trials_of(path) == expected
    assert path.read_text().splitlines() != (tmp_path / "expected.jsonl").read_text().splitlines()


def test_a_plan_may_know_more_with_every_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked with trials in its own order alone."""
    monkeypatch.setattr("presparse.trials.conduct._LOOK_SECONDS", 0.0)

    def plan(done: Done) -> list[Trial]:
        assert [trial["n"] for trial, _ in done] == list(range(len(done)))
        return [{"n": n} for n in range(min(9, len(done) + 3))]

    most = 0

    class Counting(LastFirst):
        def check(self) -> None:
            nonlocal most
            most = max(most, len(self._waiting))
            super().check()

    done = conduct(
        plan, lambda trial: {"x": trial["n"]}, Journal(tmp_path / "trials.jsonl"), Counting(), told=lambda *_: None
    )
    assert [figures["x"] for _, figures in done] == list(range(9))
    assert most == 3


def test_results_may_have_files_of_their_own(tmp_path: Path) -> None:
    """Written before the journal says that the trial was made."""
    journal = Journal(tmp_path / "trials.jsonl")

    def kept(trial: Trial, result: tuple[float, bytes]) -> Figures:
        assert trial not in journal
        (tmp_path / f"{trial['n']}.model").write_bytes(result[1])
        return {"x": result[0]}

    def arguments(trial: Trial) -> Iterable[Any]:
        return (trial["n"] + 0.5, b"model")

    with given(Immediately()) as workers:
        done = conduct(
            lambda done: [{"n": 1}, {"n": 2}],
            lambda trial, x, content: (x, content),
            journal,
            workers,
            told=lambda made, of, trial: (tmp_path / f"{trial['n']}.model").read_bytes(),
            arguments=arguments,
            kept=kept,
        )
    assert [figures for _, figures in done] == [{"x": 1.5}, {"x": 2.5}]


# --- who makes them ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("run", ["score", pytest.param("trained", marks=pytest.mark.nightly)])
def test_the_trials_are_the_same_ones_for_any_number_of_processes(run: str, tmp_path: Path) -> None:
    found: list[list[str]] = []
    for jobs in (1, 2, 3):
        path = tmp_path / f"{jobs}.jsonl"
        with processes(jobs) as workers:
            conducted(path, workers, run)
        found.append(halving.trials_of(path))
    assert len(found[0]) == ALL
    assert found[0] == found[1] == found[2]


@pytest.mark.slow
def test_an_executor_of_ones_own_makes_the_same_trials_and_stays_open(tmp_path: Path) -> None:
    found: list[list[str]] = []
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2) as pool:
        for name, executor in {"threads": threads, "processes": pool, "one": Immediately()}.items():
            with given(executor) as workers:
                conducted(tmp_path / f"{name}.jsonl", workers, "trained")
            found.append(halving.trials_of(tmp_path / f"{name}.jsonl"))
            assert executor.submit(abs, -1).result() == 1
    assert found[0] == found[1] == found[2]


def test_an_executor_that_was_shut_down_is_told(tmp_path: Path) -> None:
    executor = ThreadPoolExecutor(1)

    def end(*_: object) -> None:
        executor.shutdown(wait=False, cancel_futures=True)

    with (
        pytest.raises(ArgumentError, match=r"the executor ThreadPoolExecutor ended before the trials; .*: go on with"),
        given(executor) as workers,
    ):
        conducted(tmp_path / "trials.jsonl", workers, told=end)
    with (
        pytest.raises(ArgumentError, match="the executor ThreadPoolExecutor ended before the trials"),
        given(executor) as workers,
    ):
        conducted(tmp_path / "trials.jsonl", workers)


@pytest.mark.slow
def test_trials_have_one_thread_and_end_with_the_block(tmp_path: Path) -> None:
    with processes(2) as workers:
        done = conducted(tmp_path / "trials.jsonl", workers, "process")
    assert {figures["threads"] for _, figures in done} == {1.0}
    assert not any(psutil.pid_exists(int(figures["score"])) for _, figures in done)


# --- what is shared ---------------------------------------------------------------------------------


class Counted:
    """How often this process has unpickled one."""

    unpickled = 0

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        Counted.unpickled += 1


def _total(shared: Counted, n: int) -> tuple[int, float]:
    return Counted.unpickled, n * sum(shared.values)


@pytest.mark.slow
def test_what_is_shared_is_sent_to_a_process_once() -> None:
    with processes(1) as workers:
        first, second = workers.share(Counted([1.0, 2.0])), workers.share(np.arange(3))
        found = [workers.submit(_total, first, n).result() for n in range(4)]
        assert found == [(1, 3.0 * n) for n in range(4)]
        assert workers.submit(np.sum, second).result() == 3


def test_what_was_shared_before_is_not_kept() -> None:
    with ThreadPoolExecutor(1) as threads:
        for value in ([1], [2]):
            with given(threads) as workers:
                stand_ins = [workers.share(value), workers.share(value)]
                assert [workers.submit(sum, each).result() for each in stand_ins] == [value[0]] * 2
            assert len(workers_module._VALUES) == 2


def test_an_executor_that_does_not_see_what_is_shared_is_told() -> None:
    with given(Immediately()) as workers:
        stand_in: Any = workers.share(WEIGHTS)
        stand_in.path.unlink()
        with pytest.raises(ArgumentError, match=r"does not see this file .*; set the environment variable TMPDIR"):
            workers.submit(sum, stand_in)


# --- ends -------------------------------------------------------------------------------------------


def test_a_trial_that_fails_loses_none_that_were_made(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads, given(threads) as workers, pytest.raises(ArgumentError, match="no five"):
        conducted(tmp_path / "trials.jsonl", workers, "fails")
    kept = Journal(tmp_path / "trials.jsonl")
    assert [trial in kept for trial in halving.plan([])[:6]] == [True] * 5 + [False]


def test_an_executor_of_ones_own_makes_no_more_than_it_has_begun() -> None:
    begun: list[int] = []

    def begin(n: int) -> None:
        begun.append(n)
        time.sleep(0.2)

    with ThreadPoolExecutor(1) as threads:
        with given(threads) as workers:
            futures = [workers.submit(begin, n) for n in range(9)]
            futures[0].result()
        threads.submit(abs, -1).result()
    assert begun in ([0], [0, 1])
    assert futures[-1].cancelled()


@pytest.mark.slow
def test_a_trial_that_is_killed_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(ArgumentError, match=r"ended from outside.*go on with fewer --jobs than 1"),
        processes(1) as workers,
    ):
        conducted(tmp_path / "trials.jsonl", workers, "killed")
    assert len(halving.trials_of(tmp_path / "trials.jsonl")) == 3


@pytest.mark.slow
def test_ctrl_c_waits_for_no_trial(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), processes(1) as workers:
        conducted(tmp_path / "trials.jsonl", workers, "slow", interrupt)
    assert time.monotonic() - began < 40
    assert len(halving.trials_of(tmp_path / "trials.jsonl")) == 1


@pytest.mark.slow
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """Which is killed in the middle of a trial."""
    code = (
        "from pathlib import Path\nfrom presparse.trials.workers import processes\n"
        "from tests.host.trials.test_conduct import conducted\n"
        "if __name__ == '__main__':\n"
        "    with processes(2) as workers:\n"
        "        conducted(Path('trials.jsonl'), workers, 'slow', lambda *_: print('one', flush=True))\n"
    )
    (tmp_path / "run.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(
        [sys.executable, "run.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "one\n"
        children = psutil.Process(running.pid).children(recursive=True)
        assert children
        running.kill()
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert gone
