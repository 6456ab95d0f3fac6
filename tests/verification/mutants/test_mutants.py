"""Every mutant fits the source, and three of the quickest are really caught, one by a proof."""

from __future__ import annotations

import ast
import difflib
from pathlib import Path

import pytest

from tests.verification.mutants.mutant import ROOT, Mutant, MutantError, judge, mutants

MUTANTS = mutants()
QUICK = ("rounding in the contract is half down", "equal scores: the last class wins", "drops what comes in a stall")


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_still_fits_the_source(mutant: Mutant, tmp_path: Path) -> None:
    before, after = mutated(mutant, tmp_path)
    assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before))
    tests = [word.partition("::") for word in mutant.caught_by.split() if word.startswith("tests/")]
    assert tests
    for file, _, test in tests:
        assert not test or f"def {test.partition('[')[0]}(" in (ROOT / file).read_text()


def mutated(mutant: Mutant, folder: Path) -> tuple[str, str]:
    """The file before and after."""
    copy = folder / mutant.file
    copy.parent.mkdir(parents=True)
    original = (ROOT / mutant.file).read_text()
    copy.write_text(original)
    mutant.apply(folder)
    return original, copy.read_text()


def test_one_place_is_changed_and_nothing_else(tmp_path: Path) -> None:
    """However it is laid out: here over lines, with a comment, and with other quotes and brackets."""
    mutant = Mutant(
        name="truncates",
        place="presparse.contract.formats:Format.max",
        code="""return (
            # the largest
            (1 << self.width - 1) - 1
        )""",
        fault="return 0",
        caught_by="tests/contract/test_formats.py",
    )
    before, after = mutated(mutant, tmp_path)
    changed = [
        line
        for line in difflib.unified_diff(ast.unparse(ast.parse(before)).splitlines(), after.splitlines(), n=0)
        if line[0] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changed == ["-        return (1 << self.width - 1) - 1", "+        return 0"]


def test_names_are_different() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_the_quickest_are_caught(name: str) -> None:
    [mutant] = [m for m in MUTANTS if m.name == name]
    outcome = judge(mutant)
    assert outcome.caught, outcome


@pytest.mark.slow
def test_a_fault_that_is_none_survives() -> None:
    """Another way to write the same number, so the harness itself can say that a mutant lives."""
    harmless = Mutant(
        name="harmless",
        place="presparse.contract.formats:rescale",
        code="1 << (drop - 1)",
        fault="2 ** (drop - 1)",
        caught_by="tests/contract/test_formats.py",
    )
    assert judge(harmless).verdict == "survived"


@pytest.mark.parametrize(
    ("place", "code", "fault", "message"),
    [
        ("formats:rescale", "a + b", "a", r"wrong: .*formats:rescale has 0 times instead of once: a \+ b"),
        ("formats:rescale", "drop", "0", r"wrong: .*formats:rescale has \d times instead of once: drop"),
        ("formats:rescale", "drop", "pass", "wrong: one is an expression and one a statement: drop; pass"),
        ("formats:Format.least", "a", "b", r"wrong: .*formats\.py has 0 definitions of least instead of one"),
        ("forms:rescale", "a", "b", r"wrong: there is no presparse/contract/forms\.py in host, hw, sim, boards"),
    ],
)
def test_a_mutant_that_does_not_fit_is_refused(place: str, code: str, fault: str, message: str) -> None:
    with pytest.raises(MutantError, match=message):
        judge(Mutant(name="wrong", place=f"presparse.contract.{place}", code=code, fault=fault, caught_by="tests"))
