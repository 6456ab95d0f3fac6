"""Seeds side by side, in threads and on workers: who is waited for, who is left out, what is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from presparse_boards.errors import ToolFailed
from presparse_boards.flow.routing.cluster import cluster_runs
from presparse_boards.flow.routing.local import local_runs
from presparse_boards.flow.routing.route import route_all
from presparse_boards.flow.routing.run import Begin, Ended, UnderWay, log_of
from tests.boards.flow.routing.puppet import BOARD, Stage
from tests.cluster_programs import ROOT, Cluster

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("runs")]  # its fixture takes seconds: once is enough


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as programs:
        programs.worker("ada")
        programs.worker("bob")
        yield programs


@pytest.fixture(params=["here", "cluster"])
def begin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Both ways; two runs side by side, at least."""
    if request.param == "here":
        monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        monkeypatch.setattr("presparse_boards.flow.routing.local.processors", lambda: 2)
        yield local_runs
    else:
        workers: Cluster = request.getfixturevalue("workers")
        with cluster_runs(workers.address, []) as runs:
            yield runs


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage.at(tmp_path)


def test_a_seed_that_takes_far_longer_than_another_is_left_out(tmp_path: Path, begin: Begin, stage: Stage) -> None:
    states: list[str] = []
    ended: list[tuple[int, float | None]] = []

    def under_way(state: str) -> None:
        states.append(state)
        if stage.begun() == {1, 2}:
            stage.end(1)

    routes = route_all(
        tmp_path,
        stage.plan(),
        BOARD,
        "top.json",
        [1, 2],
        0,
        begin=begin,
        under_way=under_way,
        done=lambda seed, routed: ended.append((seed, routed.fmax_mhz if routed else None)),
    )
    [taken] = routes
    assert (taken.seed, taken.fmax_mhz) == (1, 101.0)
    assert (tmp_path / taken.design).read_text() == "routed with seed 1"
    assert ended == [(1, 101.0), (2, None)]
    assert stage.all_ended(2)
    assert any("seed 2 97.5% routed" in state for state in states)


def test_seeds_that_stand_still_make_room_for_others(
    tmp_path: Path, begin: Begin, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The puppets say that 97.5 % of the wires are routed, and no more."""
    monkeypatch.setattr("presparse_boards.flow.routing.route._NEARLY", 0.97)
    stage.end(3)
    ended: list[int] = []
    routes = route_all(
        tmp_path,
        stage.plan(),
        BOARD,
        "top.json",
        [1, 2, 3],
        0,
        begin=begin,
        done=lambda seed, routed: ended.append(seed),
    )
    assert [routed.seed for routed in routes] == [3]
    assert sorted(ended) == [1, 2, 3]
    assert all(stage.all_ended(seed) for seed in (1, 2))


def test_the_last_seeds_are_waited_for(
    tmp_path: Path, begin: Begin, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presparse_boards.flow.routing.route._NEARLY", 0.97)
    looks = 0

    def under_way(state: str) -> None:
        nonlocal looks
        looks += 1
        if looks == 4:
            stage.end(1, 3)
            stage.end(2, 3)

    with pytest.raises(ToolFailed, match=r"^place-and-route ended with status 3: ERROR: seed 1 is unlucky$"):
        route_all(tmp_path, stage.plan(), BOARD, "top.json", [1, 2], 0, begin=begin, under_way=under_way)


def test_a_seed_that_ended_before_it_was_heard_of_does_not_wait(tmp_path: Path, stage: Stage) -> None:
    heard = [
        Ended(seed=1, status=3, seconds=0.1),
        UnderWay(seed=2, seconds=10.0, routed=0.995),
        UnderWay(seed=2, seconds=100.0, routed=0.995),
        Ended(seed=2, status=4, seconds=101.0),
    ]

    class Told:
        def next(self, seconds: float) -> UnderWay | Ended | None:
            return heard.pop(0)

        def stop(self, seed: int) -> None:
            raise AssertionError(f"nobody waits for the place of seed {seed}")

    (tmp_path / log_of(1)).write_text("ERROR: seed 1 is unlucky\n")
    with pytest.raises(ToolFailed, match=r"^place-and-route ended with status 3: ERROR: seed 1 is unlucky$"):
        route_all(
            tmp_path, stage.plan(), BOARD, "top.json", [1, 2], 0, begin=lambda folder, job, seeds: nullcontext(Told())
        )
    assert heard == []


def test_if_all_fail_the_first_ones_words_are_told(tmp_path: Path, begin: Begin, stage: Stage) -> None:
    stage.end(1, 3)
    stage.end(2, 4)
    with pytest.raises(ToolFailed, match=r"^place-and-route ended with status 3: ERROR: seed 1 is unlucky$"):
        route_all(tmp_path, stage.plan(), BOARD, "top.json", [1, 2], 0, begin=begin)


def test_what_still_runs_ends_when_nobody_waits(tmp_path: Path, begin: Begin, stage: Stage) -> None:
    def under_way(state: str) -> None:
        if len(stage.begun()) == 2 and state.endswith(", 1 waiting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        route_all(tmp_path, stage.plan(), BOARD, "top.json", [1, 2, 3], 0, begin=begin, under_way=under_way)
    assert all(stage.all_ended(seed) for seed in stage.begun())
    assert len(stage.begun()) == 2
