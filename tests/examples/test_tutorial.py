"""Pages of docs do what they say: every command and block of Python runs, in order, and prints those words."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[2]


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """(language, text) of a page's blocks."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return iter(re.findall(r"```(\w+)\n(.*?)```\n", text, flags=re.DOTALL))


def words(text: str) -> list[str]:
    """The text without numbers, bars and spaces: accuracies and speeds are those of one machine."""
    return re.sub(r"[\d.,]*\d%?|[━╸\[\]]", " ", text).split()


@pytest.mark.parametrize(("page", "commands"), [("tutorial.md", 7), ("scikit-learn.md", 0)])
def test_every_block_runs_and_prints_what_the_page_shows(
    page: str, commands: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "examples/own_data/wine.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    printed = ""
    ran = 0
    for language, text in blocks(page):
        if language == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(text, names)
            printed = output.getvalue()
        elif language == "text":
            assert words(printed) == words(text), printed
        else:
            assert language == "console"
            for command, shown in re.findall(r"^\$ presparse (.*)\n((?:(?!\$ ).*\n)*)", text, flags=re.MULTILINE):
                done = subprocess.run(
                    [sys.executable, "-m", "presparse", *command.split()],
                    capture_output=True,
                    text=True,
                    env={**os.environ, "COLUMNS": "100"},
                )
                assert done.returncode == 0, done.stderr
                slow = r"^.*( \.\.\. \d+ s|: [\d,]+ of [\d,]+, .* right)\n"  # how far it is, on a slow machine
                told = re.sub(slow, "", done.stderr, flags=re.MULTILINE)
                assert words(told + done.stdout) == words(shown), command
                ran += 1
    assert ran == commands
