"""Fixtures of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from presparse.contract.network import Network
from presparse.model import Model
from tests.cli.command import Shell
from tests.host.small import NETWORK, clusters


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a network (small.toml), 300 samples of it (small.npz, small.csv), an untrained model."""
    j = NETWORK
    (tmp_path / "small.toml").write_text(
        f"features = {j.features}\nclasses = {j.classes}\nlayers = {list(j.layers)}\n"
        f"out_degree = {list(j.out_degree)}\nlanes = {list(j.lanes)}\nactivations = ['relu', 'sigmoid']\n"
    )
    X, y = clusters(0, 300)
    np.savez(tmp_path / "small.npz", X=X, y=y)
    np.savetxt(tmp_path / "small.csv", np.column_stack([X, y]), delimiter=",")
    Model.initial(Network.load(tmp_path / "small.toml")).save(tmp_path / "small.safetensors")
    return tmp_path
