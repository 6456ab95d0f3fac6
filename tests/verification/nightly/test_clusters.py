"""Minutes of a cluster: a bundle built with the real tools here and there, trainings by several processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from presparse.trials.workers import processes
from presparse_boards.boards.registry import find_board
from presparse_boards.flow.bundle import build_bundle
from tests.boards.networks import NANO_INFERENCE
from tests.cluster_programs import Cluster
from tests.host.trials import halving
from tests.host.trials.test_conduct import ALL, conducted


def test_a_bundle_does_not_tell_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real tools; logs beside it tell times and folders."""
    folders = (tmp_path / "here", tmp_path / "there")
    monkeypatch.setenv("PRESPARSE_CACHE", str(tmp_path / "cache"))
    board = find_board("icebreaker")
    with Cluster(tmp_path / "cluster") as programs:
        programs.worker("ada")
        programs.worker("bob")
        for folder, scheduler in zip(folders, (None, programs.address), strict=True):
            build_bundle(NANO_INFERENCE, board, folder=folder, force=True, seeds=2, scheduler=scheduler)
    here, there = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert here.keys() == there.keys() == {
        "manifest.json", "nano.bin", "network.toml", "route-1.log", "route-2.log", "synthesis.log.gz", "timing.json"
    }  # fmt: skip
    for name in ("manifest.json", "nano.bin", "network.toml", "timing.json"):
        assert here[name] == there[name], name


def test_trainings_are_the_same_ones_for_any_number_of_processes(tmp_path: Path) -> None:
    found: list[list[str]] = []
    for jobs in (1, 2, 3):
        with processes(jobs) as workers:
            conducted(tmp_path / f"{jobs}.jsonl", workers, "trained")
        found.append(halving.trials_of(tmp_path / f"{jobs}.jsonl"))
    assert len(found[0]) == ALL
    assert found[0] == found[1] == found[2]
