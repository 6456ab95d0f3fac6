"""`presparse search`: from a data set to networks, models and a page; and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from presparse import data
from tests.cli.command import Ran, Shell

pytestmark = pytest.mark.slow


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """300 digits in a file."""
    X, y = data.load("digits")
    path = tmp_path / "some digits.npz"
    np.savez(path, X=X[:300], y=y[:300])
    return path


def search(shell: Shell, source: object, folder: Path, *more: object) -> Ran:
    settings = ("--board", "ulx3s-25f", "--trials", 6, "--epochs", 9, "--jobs", 1, "--output", folder)
    return shell("search", source, *settings, *more)


def test_from_a_file_to_a_page(shell: Shell, digits: Path, tmp_path: Path) -> None:
    folder = tmp_path / "found"
    ran = search(shell, digits, folder, "--image", "8x8", "--weight", 0.1, "--json")
    assert ran.status == 0
    figures = ran.figures
    names = [entry["name"] for entry in figures["front"]]
    assert figures["chosen"] in names
    assert figures["networks_tried"] == 6
    assert {file.stem for file in (folder / "networks").iterdir()} == set(names)
    for picture in ("front.png", "weights.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    rows = re.findall(r'<tr data-point="([^"]+)">', page)
    assert len(rows) == len(figures["front"]) + len(figures["references"])
    for row in rows:  # what is clicked and what is shown
        assert page.count(f'<g id="{row}">') == 1
        assert page.count(f'id="card-{row}"') == 1
    own = [name for name in names if not name.startswith("digits")]
    assert page.count(f"&#39;{digits}&#39;") == len(own)  # a name that a shell takes as one

    best = max(figures["front"], key=lambda entry: entry["accuracy"])
    model = folder / "models" / f"{best['name']}.safetensors"
    evaluated = shell("evaluate", model, digits, "--device", "emulator:c", "--json").figures
    assert evaluated["accuracy"] > best["accuracy"] - 0.1  # of all digits, most of which it learned from

    again = search(shell, digits, folder, "--image", "8x8")  # all is there
    assert again.status == 0
    assert "chosen" in again.out
    other = search(shell, digits, folder, "--image", "8x8", "--seed", 1)
    assert other.status == 2
    assert "seed" in other.err


def test_a_bound_that_nothing_meets(shell: Shell, digits: Path, tmp_path: Path) -> None:
    """The nearest is named, and what was found is kept."""
    ran = search(shell, digits, tmp_path / "found", "--at-least", "accuracy=1", "--json")
    assert ran.status == 2
    assert "no network that was found has accuracy 1; the nearest is" in ran.figures["error"]
    assert json.loads((tmp_path / "found" / "front.json").read_text())["networks_tried"] == 6


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--at-least", "fast"], "such as speed=1e6, and is 'fast'"),
        (["--at-least", "watts=3"], "'watts' is none of these"),
        (["--board", "nowhere"], "there is no board 'nowhere'"),
        (["--objectives", "accuracy,beauty"], "beauty"),
        (["--image", "7x7"], "image must be rows and columns"),
        (["--minutes", "1"], "give one of them"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--jobs 1 is for this computer alone"),
    ],
)
def test_refused(shell: Shell, digits: Path, tmp_path: Path, more: list[str], message: str) -> None:
    ran = search(shell, digits, tmp_path / "found", *more)
    assert ran.status == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_data_of_one_class(shell: Shell, tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", X=np.random.default_rng(0).random((50, 4)), y=np.zeros(50, dtype=int))
    ran = search(shell, tmp_path / "one.npz", tmp_path / "found")
    assert ran.status == 2
    assert "one class" in ran.err
