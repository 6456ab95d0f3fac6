"""Every example runs as its README says, from another folder, and finds what its comments promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, folder: Path) -> str:
    """What the example prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name / f"{name}.py")],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def percent(line: str, output: str) -> float:
    """The accuracy that a line of the output ends with, or has behind `line`."""
    found = re.search(re.escape(line) + r"\D*([\d.]+)%", output)
    assert found, output
    return float(found[1])


def test_own_data(tmp_path: Path) -> None:
    output = run("own_data", tmp_path)
    assert percent("scale='per feature':", output) > percent("scale='overall':", output) + 10
    assert percent("test part:", output) > 90
    assert percent("after 5 more epochs on the board:", output) > 90
    assert [path.name for path in tmp_path.iterdir()] == ["wine.safetensors"]


@pytest.mark.nightly
def test_sklearn_pipeline(tmp_path: Path) -> None:
    output = run("sklearn_pipeline", tmp_path)
    ours = re.search(r"of the edges: ([\d.]+)%", output)
    assert ours
    assert float(ours[1]) > percent("every edge:", output) - 2
    assert percent("on the board:", output) > 92


def test_learned_pattern(tmp_path: Path) -> None:
    output = run("learned_pattern", tmp_path)
    stages = {name: float(share) for name, share in re.findall(r"^(\S+).* edges  ([\d.]+)% of", output, re.MULTILINE)}
    assert stages["trained"] > 96
    assert stages["refitted"] > max(93, stages["bank-balanced"])
    assert percent("on the board:", output) == stages["refitted"]


@pytest.mark.parametrize("folder", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_the_readme_lists_every_example(folder: str) -> None:
    assert f"| `{folder}` |" in (EXAMPLES / "README.md").read_text(encoding="utf-8")
