"""A seeded fault: one piece of the source replaced, and the tests that must notice.

The piece is found as code, not as text: a syntax tree has no line breaks, quotes or comments to differ in, and a class
is where it is whatever is written around it.
"""

from __future__ import annotations

import ast
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
    place: str
    """module:Class, module:function or module:Class.method."""
    code: str
    """An expression or a statement, which is in `place` once."""
    fault: str
    """What takes its place: an expression for an expression."""
    caught_by: str
    """Arguments of pytest."""

    @property
    def file(self) -> Path:
        """Of the module, relative to the repository. Raises MutantError."""
        inside = Path(*self.place.partition(":")[0].split(".")).with_suffix(".py")
        for part in _SOURCES:
            if (ROOT / part / inside).is_file():
                return Path(part) / inside
        raise MutantError(f"{self.name}: there is no {inside} in {', '.join(_SOURCES)}")

    def apply(self, root: Path) -> None:
        """Put the fault into the source under `root`. Raises MutantError."""
        path = root / self.file
        tree = ast.parse(path.read_text())
        code, fault = _parsed(self.code), _parsed(self.fault)
        if isinstance(code, ast.expr) != isinstance(fault, ast.expr):
            raise MutantError(f"{self.name}: one is an expression and one a statement: {self.code}; {self.fault}")
        replacement = _Replacement(code, fault)
        replacement.visit(self._definition(tree))
        if replacement.times != 1:
            raise MutantError(f"{self.name}: {self.place} has {replacement.times} times instead of once: {self.code}")
        path.write_text(ast.unparse(tree) + "\n")

    def _definition(self, tree: ast.Module) -> ast.AST:
        """The class or function that is named after the module."""
        node: ast.Module | ast.ClassDef | ast.FunctionDef = tree
        for name in self.place.partition(":")[2].split("."):
            found = [n for n in node.body if isinstance(n, (ast.ClassDef, ast.FunctionDef)) and n.name == name]
            if len(found) != 1:
                raise MutantError(f"{self.name}: {self.file} has {len(found)} definitions of {name} instead of one")
            [node] = found
        return node


class _Replacement(ast.NodeTransformer):
    """Puts one piece of code wherever another is, and counts."""

    def __init__(self, code: ast.AST, fault: ast.AST) -> None:
        self._wanted, self._fault = ast.dump(code), fault
        self._kind = type(code)
        self.times = 0

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, self._kind) and ast.dump(node) == self._wanted:
            self.times += 1
            return self._fault
        return self.generic_visit(node)


def _parsed(code: str) -> ast.AST:
    """One expression, or one statement."""
    [statement] = ast.parse(code).body
    return statement.value if isinstance(statement, ast.Expr) else statement


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
