"""Bundles that take minutes: `make nightly` builds them with the real tools."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from presparse.contract.network import Network
from presparse.messages.bundle import Manifest
from presparse_boards.boards.registry import find_board
from presparse_boards.flow.bundle import build_bundle
from presparse_boards.flow.service import bundle
from tests.boards.networks import NANO_INFERENCE

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize(
    ("network", "board", "mode", "lanes"),
    [
        ("digits-small", "ulx3s-25f", "train", (8, 8)),
        ("digits-small", "icebreaker", "infer", ()),
        ("digits", "ulx3s-12f", "train", ()),
        ("digits", "ecpix5-45f", "train", ()),
    ],
)
def test_shipped_networks(
    network: str, board: str, mode: Literal["train", "infer"], lanes: tuple[int, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    made = bundle(Network.load(network), board, folder=folder, mode=mode, lanes=lanes, force=True)
    assert isinstance(made, Manifest)
    assert made == Manifest.load(folder)
    assert made.use.fits
    assert made.notes == ()
    assert made.clock_mhz <= made.fmax_mhz
    assert made.cycles_per_sample == made.build.schedule.period


@pytest.mark.parametrize("name", ["ulx3s-85f", "icebreaker"])
def test_the_same_inputs_give_the_same_bits(name: str, tmp_path: Path) -> None:
    """Logs beside them tell times and folders."""
    folders = (tmp_path / "first", tmp_path / "second")
    first, second = (
        build_bundle(NANO_INFERENCE, find_board(name), folder=folder, force=True, seeds=2) for folder in folders
    )
    assert first == second
    for file in ("manifest.json", "network.toml", "timing.json", first.bitstream):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
