"""A seeded fault: one piece of the source replaced, and the tests that must notice."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_LIST = Path(__file__).with_name("mutants.toml")
_SOURCES = ("host", "hw", "sim", "boards")
_COPIED = (*_SOURCES, "tests", "pyproject.toml", "docs", "README.md")
_TESTS_FAILED = 1
"""pytest's exit status; others mean that it did not get so far, and so has seen no fault."""
PATIENCE = 1200.0
"""Seconds after which tests of a mutant hang."""


class MutantError(Exception):
    """The list does not fit the source."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """An entry of mutants.toml."""

    name: str
    """What is wrong, in words."""
    file: str
    old: str
    """Occurs once in `file`."""
    new: str
    caught_by: str
    """Arguments of pytest."""

    def apply(self, root: Path) -> None:
        """Put the fault into the source under `root`. Raises MutantError."""
        path = root / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise MutantError(f"{self.name}: {self.file} has {text.count(self.old)} times instead of once: {self.old}")
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    mutant: Mutant
    verdict: str
    """"caught", or what happened instead."""
    first: str
    """The first test that failed."""
    seconds: float

    @property
    def caught(self) -> bool:
        return self.verdict == "caught"


def mutants() -> tuple[Mutant, ...]:
    return tuple(Mutant(**entry) for entry in tomllib.loads(_LIST.read_text())["mutant"])


def judge(mutant: Mutant) -> Outcome:
    """Run the mutant's tests on a copy of the source that has the fault. Raises MutantError."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="presparse-mutant-") as name:
        root = Path(name)
        for part in _COPIED:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, root)
        mutant.apply(root)
        verdict, first = _tested(mutant, root)
    return Outcome(mutant=mutant, verdict=verdict, first=first, seconds=time.monotonic() - began)


def _tested(mutant: Mutant, root: Path) -> tuple[str, str]:
    path = os.pathsep.join([str(root / part) for part in _SOURCES] + [str(root)])
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *shlex.split(mutant.caught_by)]
    try:
        ran = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "hangs", ""
    failed = [line.split()[1] for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if ran.returncode == 0:
        return "survived", ""
    if ran.returncode != _TESTS_FAILED or not failed:
        return f"pytest ended with {ran.returncode}: {ran.stdout.strip()[-200:]}", ""
    return "caught", failed[0]
