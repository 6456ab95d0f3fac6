"""The house itself: few doors to a street, no two names that one letter tells apart, one place for each thing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "host/presparse": 12,
    "hw/presparse_hw": 6,
    "boards/presparse_boards": 6,
    "sim/presparse_sim": 12,
}
"""Root folders, and how many Python files may lie directly in each."""


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize(("package", "most"), PACKAGES.items())
def test_few_files_lie_at_the_door(package: str, most: int) -> None:
    assert len(list((ROOT / package).glob("*.py"))) <= most


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_neighbors_differ_by_a_plural(package: str) -> None:
    for folder in {path.parent for path in sources(package)}:
        names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
        assert not {name for name in names if {f"{name}s", f"{name}es", f"{name[:-1]}ies"} & names}, folder


@pytest.mark.parametrize("package", PACKAGES)
def test_entry_points_are_loaded_in_one_place(package: str) -> None:
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "importlib.metadata"
        and any(alias.name == "entry_points" for alias in node.names)
    }
    assert asking <= {"host/presparse/plugins.py"}


STARTERS = {
    "host/presparse/support/child_processes.py",
    "host/presparse/support/process_guard.py",
    "boards/presparse_boards/flow/program.py",  # which must not be cut off
    "sim/presparse_sim/campaigns/kills.py",  # which kills what it starts
}


@pytest.mark.parametrize("package", PACKAGES)
def test_programs_are_started_where_they_end_with_us(package: str) -> None:
    starting = {
        path.relative_to(ROOT).as_posix()
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) and any(alias.name == "subprocess" for alias in node.names)
    }
    assert starting <= STARTERS


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_a_drawer_for_everything(package: str) -> None:
    assert not {path.stem for path in sources(package)} & {"utils", "util", "helpers", "misc", "common"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_what_it_is(package: str) -> None:
    for path in sources(package):
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text())), path
