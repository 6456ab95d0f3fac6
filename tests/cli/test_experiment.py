"""`presparse experiment`: the list, a name that does not exist, an experiment from beginning to end."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from presparse.cli import experiment
from presparse.experiments import penalties
from tests.cli.command import Shell
from tests.cluster_programs import Cluster
from tests.host.trials import halving

pytestmark = pytest.mark.slow


TINY = replace(
    penalties.DIGITS,
    rows={"l1": replace(penalties.DIGITS.rows["l1"], strengths=(1e-3,))},
    epochs={"loss": 1, "prox": 1},
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """`penalties-digits`, of a few epochs."""
    tiny = replace(
        penalties.PENALTIES_DIGITS,
        plan=partial(penalties.plan, TINY),
        run=partial(penalties.run, TINY),
        report=partial(penalties.report, TINY),
        picture=partial(penalties.picture, TINY),
    )
    monkeypatch.setattr(penalties, "PENALTIES_DIGITS", tiny)


def test_the_experiments_are_listed(shell: Shell) -> None:
    ran = shell("experiment", "--json")
    assert ran.status == 0
    assert "penalties-digits" in ran.figures["experiments"]


def test_an_unknown_experiment_is_named(shell: Shell, tmp_path: Path) -> None:
    ran = shell("experiment", "nonsense", "--output", tmp_path)
    assert ran.status == 2
    assert "nonsense: no such experiment; there are penalties-digits, penalties-mnist" in ran.err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("tiny")
def test_an_experiment_leaves_trials_figures_and_a_picture(shell: Shell, tmp_path: Path) -> None:
    ran = shell("experiment", "penalties-digits", "--seeds", 2, "--jobs", 1, "--output", tmp_path, "--json")
    assert ran.status == 0
    figures = ran.figures
    assert figures["rows"]["l1"]["n"] == 2
    assert json.loads((tmp_path / "penalties-digits.json").read_text())["rows"] == figures["rows"]
    assert (tmp_path / "penalties-digits.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "penalties-digits.jsonl").read_text().splitlines()) == 4
    told = shell("experiment", "penalties-digits", "--seeds", 2, "--jobs", 1, "--output", tmp_path)
    assert told.status == 0
    assert "4 trials" in told.out
    assert "test accuracy" in told.err


@pytest.mark.usefixtures("tiny")
@pytest.mark.nightly
def test_an_experiment_on_a_cluster_has_the_figures_of_one_computer(shell: Shell, tmp_path: Path) -> None:
    with Cluster(tmp_path / "cluster") as started:
        for name in ("ada", "bob"):
            started.worker(name)
        made = ("experiment", "penalties-digits", "--seeds", 2, "--json", "--output")
        there = shell(*made, tmp_path / "there", "--scheduler", started.address)
        assert (there.status, there.err.count("worker")) == (0, 0)
    here = shell(*made, tmp_path / "here", "--jobs", 1)
    assert here.figures["rows"] == there.figures["rows"]
    trials = "penalties-digits.jsonl"
    assert halving.trials_of(tmp_path / "here" / trials) == halving.trials_of(tmp_path / "there" / trials)


def test_who_makes_the_trials_is_said_once_and_is_there(shell: Shell, tmp_path: Path) -> None:
    for options, told in (
        (
            ("--jobs", 2, "--scheduler", "tcp://host:8786"),
            "--jobs 2 is for this computer alone, and --scheduler tcp://",
        ),
        (("--scheduler", "host"), "'host' is no address of a scheduler; give the one that `dask scheduler` prints"),
    ):
        ran = shell("experiment", "penalties-digits", "--output", tmp_path / "new", *options)
        assert (ran.status, ran.out) == (2, "")
        assert told in ran.err.replace("\n", " ")
    ran = shell("experiment", "--scheduler", "tcp://host:8786")
    assert ran.status == 2
    assert "--scheduler is for an experiment, and none is named" in ran.err


def test_ctrl_c_says_how_to_go_on(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "conduct", lambda *given, **options: signal.raise_signal(signal.SIGINT))
    ran = shell("experiment", "penalties-digits", "--output", tmp_path)
    assert (ran.status, ran.out) == (130, "")
    assert ran.err.splitlines()[-2:] == [
        f"The trials that were made are in {tmp_path / 'penalties-digits.jsonl'}; the same command goes on from there.",
        "interrupted",
    ]
