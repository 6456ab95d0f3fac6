"""`presparse experiment`: the list, a name that does not exist, an experiment from beginning to end."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from presparse.experiments import conduct, penalties
from tests.cli.command import Shell

pytestmark = pytest.mark.slow


TINY = replace(
    penalties.DIGITS,
    rows={"l1": replace(penalties.DIGITS.rows["l1"], strengths=(1e-3,))},
    epochs={"loss": 1, "prox": 1},
)


def test_the_experiments_are_listed(shell: Shell) -> None:
    ran = shell("experiment", "--json")
    assert ran.status == 0
    assert "penalties-digits" in ran.figures["experiments"]


def test_an_unknown_experiment_is_named(shell: Shell, tmp_path: Path) -> None:
    ran = shell("experiment", "nonsense", "--output", tmp_path)
    assert ran.status == 2
    assert "nonsense: no such experiment; there are penalties-digits, penalties-mnist" in ran.err
    assert not list(tmp_path.iterdir())


def test_an_experiment_leaves_trials_figures_and_a_picture(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = replace(
        penalties.PENALTIES_DIGITS,
        plan=partial(penalties.plan, TINY),
        run=partial(penalties.run, TINY),
        report=partial(penalties.report, TINY),
        picture=partial(penalties.picture, TINY),
    )
    monkeypatch.setattr(penalties, "PENALTIES_DIGITS", tiny)
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


def test_ctrl_c_says_how_to_go_on(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conduct, "conduct", lambda *given, **options: signal.raise_signal(signal.SIGINT))
    ran = shell("experiment", "penalties-digits", "--output", tmp_path)
    assert (ran.status, ran.out) == (130, "")
    assert ran.err.splitlines()[-2:] == [
        f"The trials that were made are in {tmp_path / 'penalties-digits.jsonl'}; the same command goes on from there.",
        "interrupted",
    ]
