"""The journal: what was written is kept, whatever happens; what it belongs to, and who has it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from presparse.errors import ArgumentError, OutputError
from presparse.trials.journal import Journal
from tests.cluster_programs import ROOT

HEAD = {"seed": 0, "space": {"layers": (64, 32, 10), "rate": [0.5, 0.25]}, "versions": {"presparse": "0.2.0"}}


def test_the_journal_remembers_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "new" / "trials.jsonl"
    journal = Journal(path)
    journal.add({"seed": 1, "row": "a"}, {"x": 0.5})
    with path.open("a") as file:
        file.write('{"trial": {"seed": 2')  # cut off
    journal = Journal(path)
    assert {"row": "a", "seed": 1} in journal
    assert journal[{"row": "a", "seed": 1}] == {"x": 0.5}
    assert {"row": "a", "seed": 2} not in journal
    journal.add({"seed": 2, "row": "a"}, {"x": 1.5})
    assert Journal(path)[{"row": "a", "seed": 2}] == {"x": 1.5}


def test_torn_lines_lose_their_own_trial_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Wherever it was torn, and whatever came after."""
    line = json.dumps({"trial": {"seed": 1}, "figures": {"x": 0.5}}) + "\n"
    path = tmp_path / "trials.jsonl"
    for cut in range(1, len(line)):
        path.write_text(line[:cut])
        Journal(path).add({"seed": 2}, {"x": 1.0})
        path.write_bytes(path.read_bytes() + b"\xff\x00{\n")
        Journal(path).add({"seed": 3}, {"x": 2.0})
        journal = Journal(path)
        assert ({"seed": 1} in journal) == (cut == len(line) - 1)
        assert (journal[{"seed": 2}], journal[{"seed": 3}]) == ({"x": 1.0}, {"x": 2.0})
    assert "line 1 is torn; its trial is made again" in caplog.text


def test_a_full_disk_is_told_and_costs_one_trial(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    journal = Journal(path)
    journal.add({"seed": 1}, {"x": 0.5})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 10):
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, limits[1]))
        try:
            with pytest.raises(OutputError, match=rf"{path}: cannot be written \(.*; make room, then the same command"):
                journal.add({"seed": 2}, {"x": 1.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    journal.add({"seed": 3}, {"x": 2.0})
    kept = Journal(path)
    assert [{"seed": seed} in kept for seed in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("content", ["nonsense\n", '{"figures": {}}\n', "[1]\n", "\xff\n"])
def test_another_file_is_no_journal(content: str, tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ArgumentError, match=f"{path}: .*give another folder"):
        Journal(path)
    assert path.read_bytes() == content.encode("latin-1")


def test_trials_and_figures_are_json(tmp_path: Path) -> None:
    """Nested, in whatever order; figures are floats, when they are added and when they are read again."""
    path = tmp_path / "trials.jsonl"
    journal = Journal(path)
    trial: dict[str, Any] = {"layers": [64, 32], "formats": {"weight": [2, 5], "name": None}}
    journal.add(trial, {"edges": 12, "worst": float("inf")})
    for each in (journal, Journal(path)):
        figures = each[{"formats": {"name": None, "weight": [2, 5]}, "layers": [64, 32]}]
        assert figures == {"edges": 12.0, "worst": float("inf")}
        assert isinstance(figures["edges"], float)
        assert {**trial, "layers": [32, 64]} not in each


# --- head -------------------------------------------------------------------------------------------


def test_a_journal_knows_what_it_belongs_to(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    Journal(path, HEAD).add({"seed": 1}, {"x": 0.5})
    assert json.loads(path.read_text().splitlines()[0]) == {"head": json.loads(json.dumps(HEAD))}
    assert {"seed": 1} in Journal(path, HEAD)
    kept = path.read_bytes()
    for other, difference in (
        ({**HEAD, "seed": 1}, "seed was 0 and is 1;"),
        ({**HEAD, "versions": {"presparse": "0.3.0"}}, "versions.presparse was '0.2.0' and is '0.3.0';"),
        ({**HEAD, "versions": {"presparse": "0.2.0", "torch": "2"}}, "versions.torch was not there and is '2';"),
        ({"seed": 0, "versions": {"presparse": "0.2.0"}}, "space.layers was [64, 32, 10] and is not there, space.rate"),
        (None, "it has a head, and here there is none;"),
    ):
        with pytest.raises(ArgumentError) as raised:
            Journal(path, other)
        assert f"{path}: belongs to something else: {difference}" in str(raised.value)
        assert raised.value.mend == "go on with what it was, or give another folder"
    assert path.read_bytes() == kept


def test_trials_without_a_head_belong_to_nothing_that_has_one(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    Journal(path).add({"seed": 1}, {"x": 0.5})
    with pytest.raises(ArgumentError, match="it has no head, and here there is one; go on"):
        Journal(path, HEAD)


@pytest.mark.parametrize("trials", [0, 1, 2])
def test_wherever_the_last_line_is_cut_it_goes_on(trials: int, tmp_path: Path) -> None:
    """The head, if there is nothing else. Nobody writes two lines, and none is lost that was whole."""
    path, whole = tmp_path / "trials.jsonl", tmp_path / "whole.jsonl"
    journal = Journal(whole, HEAD)
    for seed in range(trials):
        journal.add({"seed": seed}, {"x": 0.5 + seed})
    content = whole.read_bytes()
    begun = content.rfind(b"\n", 0, -1) + 1
    assert content.count(b"\n", 0, begun) == trials
    for cut in range(begun, len(content) + 1):
        path.write_bytes(content[:cut])
        journal = Journal(path, HEAD)
        last = {"seed": trials - 1}
        assert (last in journal) == (trials > 0 and cut >= len(content) - 1)
        assert trials < 2 or {"seed": 0} in journal
        if trials and last not in journal:
            journal.add(last, {"x": 0.5 + last["seed"]})
        journal.add({"seed": 9}, {"x": 9.5})
        again = Journal(path, HEAD)
        assert [again[{"seed": seed}]["x"] for seed in (*range(trials), 9)] == [*(0.5 + n for n in range(trials)), 9.5]


# --- who has it -------------------------------------------------------------------------------------


def test_two_do_not_add_to_one_journal(tmp_path: Path) -> None:
    """The first may be killed: then the second has it."""
    path = tmp_path / "new" / "trials.jsonl"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom presparse.trials.journal import Journal\n"
        "with Journal.alone(Path(sys.argv[1])) as journal:\n"
        "    journal.add({'seed': 1}, {'x': 0.5})\n    print('has it', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "has it\n"
        with pytest.raises(ArgumentError, match=f"{path}: another process is adding to it; wait"), Journal.alone(path):
            pass
        assert {"seed": 1} in Journal(path)  # who looks is not in the way
        first.kill()
    with Journal.alone(path) as journal:
        journal.add({"seed": 2}, {"x": 1.5})
    with Journal.alone(path) as journal:
        assert [{"seed": seed} in journal for seed in (1, 2)] == [True, True]
