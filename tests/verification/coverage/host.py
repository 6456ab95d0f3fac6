"""Coverage of the host's code by its own tests, measured by coverage.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
TESTS = ("tests/host", "tests/contract", "tests/cli")
_SETTINGS = Path(__file__).with_name("host.ini")


class NoCoverage(Exception):
    """The tests did not get so far."""


@dataclass(frozen=True, kw_only=True)
class File:
    """Statements and branches of a file, and how many of them ran."""

    path: str
    statements: int
    statements_run: int
    branches: int
    branches_run: int
    missing: tuple[int, ...]
    """Lines that did not run."""

    @property
    def percent(self) -> float:
        """Of statements and branches together, as coverage.py counts."""
        all_of_them = self.statements + self.branches
        return 100 * (self.statements_run + self.branches_run) / all_of_them if all_of_them else 100.0


def measure(jobs: int, tests: Sequence[str] = TESTS) -> tuple[list[File], str]:
    """Run the tests, `jobs` at a time: what ran of each file of the package, and the tests' last line.

    Raises NoCoverage. Tests that fail do not keep the others from being measured.
    """
    with tempfile.TemporaryDirectory(prefix="presparse-coverage-") as folder:
        report = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(jobs), "--cov", f"--cov-config={_SETTINGS}"]
        ran = subprocess.run(
            [*command, f"--cov-report=json:{report}", *tests],
            cwd=ROOT,
            env={**os.environ, "COVERAGE_FILE": str(Path(folder) / "data")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not report.exists():
            raise NoCoverage(f"pytest ended with {ran.returncode}:\n{ran.stdout[-3000:]}")
        found = json.loads(report.read_text())["files"]
    return [_file(path, entry) for path, entry in sorted(found.items())], ran.stdout.strip().splitlines()[-1]


def _file(path: str, entry: dict[str, Any]) -> File:
    summary = entry["summary"]
    return File(
        path=str((ROOT / path).relative_to(ROOT)),
        statements=summary["num_statements"],
        statements_run=summary["covered_lines"],
        branches=summary["num_branches"],
        branches_run=summary["covered_branches"],
        missing=tuple(entry["missing_lines"]),
    )
