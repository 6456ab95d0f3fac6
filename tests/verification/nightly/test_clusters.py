"""Minutes of a cluster: a bundle built with the real tools, here and there."""

from __future__ import annotations

from pathlib import Path

import pytest

from presparse_boards.boards.registry import find_board
from presparse_boards.flow.bundle import build_bundle
from tests.boards.networks import NANO_INFERENCE
from tests.cluster_programs import Cluster

pytestmark = pytest.mark.nightly


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
