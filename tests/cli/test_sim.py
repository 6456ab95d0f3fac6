"""`presparse sim`: verdicts, files, mistakes, and the lines that the documentation gives to other repositories."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from presparse import plugins
from tests.cli.command import Shell

pytestmark = pytest.mark.slow


CI = Path(__file__).parents[2] / "docs" / "ci.md"
TINY = """
features = 5
classes = 3
layers = [6, 4, 4]
out_degree = [2, 2]
lanes = [3, 2]
activations = ["relu", "sigmoid"]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "my_network.toml"
    file.write_text(TINY)
    return file


def test_verdicts_junit_and_waves(shell: Shell, tiny: Path, tmp_path: Path) -> None:
    junit = tmp_path / "results.xml"
    options = ("--level", "lane", "--simulator", "icarus", "--samples", 4, "--junit", junit, "--waves", tmp_path)
    ran = shell("sim", tiny, *options, "--json")
    assert ran.status == 0, ran.err
    assert ran.figures["passed"] is True
    benches = ran.figures["benches"]
    assert [b["bench"] for b in benches] == ["lane of junction 1", "lane of junction 2"]
    for bench in benches:
        assert Path(bench["waves"]).stat().st_size > 0
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "0")
    assert [case.get("name") for case in suite] == [b["bench"] for b in benches]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("nothing-here",), "nothing-here"),
        (("--lanes", "a"), "--lanes must be whole numbers such as 32,16, and is 'a'"),
        (("--lanes", "7"), "lanes needs one entry per junction"),
        (("--board", "no-board"), "there is no board 'no-board'"),
        (("--waves", "no-folder"), "there is no such folder"),
        (("--junit", "no-folder/a.xml"), "there is no folder no-folder"),
    ],
)
def test_mistakes_are_one_line(shell: Shell, options: tuple[str, ...], said: str) -> None:
    ran = shell("sim", *options)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_what_is_missing_is_named_with_its_mend(shell: Shell, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda program: None)
        ran = shell("sim", tiny, "--simulator", "icarus")
    assert ran.status == 2
    assert "sudo apt-get install iverilog" in ran.err
    with monkeypatch.context() as patch:
        patch.setattr(plugins, "entry_points", lambda **chosen: ())
        ran = shell("sim", tiny)
    assert ran.status == 2
    assert "pip install 'presparse[sim,train]'" in ran.err


@pytest.mark.nightly
def test_the_documented_lines_run_in_another_repository(tiny: Path) -> None:
    """The `run` lines of docs/ci.md, as they stand there, by a shell in a folder with a small network."""
    lines = re.findall(r"^ +- run: (.+)$", CI.read_text(), re.MULTILINE)
    assert len(lines) == 2
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    script = "\n".join(["set -e", *lines])
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tiny.parent,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    suite = ElementTree.parse(tiny.parent / "presparse.xml").getroot()[0]
    assert int(suite.get("tests", "0")) == 6
    assert suite.get("failures") == "0"
