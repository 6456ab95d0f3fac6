"""Every mutant fits the source, and three of the quickest are really caught, one by a proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verification.mutants.mutant import ROOT, Mutant, MutantError, judge, mutants

MUTANTS = mutants()
QUICK = ("rounding in the contract is half down", "equal scores: the last class wins", "drops what comes in a stall")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_still_fits_the_source(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    original = (ROOT / mutant.file).read_text()
    copy.write_text(original)
    mutant.apply(tmp_path)
    assert copy.read_text() != original
    tests = [word.partition("::")[0] for word in mutant.caught_by.split() if word.startswith("tests/")]
    assert tests
    assert all((ROOT / test).exists() for test in tests)


def test_names_are_different() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.parametrize("name", QUICK)
def test_the_quickest_are_caught(name: str) -> None:
    [mutant] = [m for m in MUTANTS if m.name == name]
    outcome = judge(mutant)
    assert outcome.caught, outcome


def test_a_fault_that_is_none_survives() -> None:
    """A changed comment changes nothing, so the harness itself can say that a mutant lives."""
    harmless = Mutant(
        name="harmless",
        file="host/presparse/contract/formats.py",
        old="Dropped bits round half up:",
        new="Bits that are dropped round half up:",
        caught_by="tests/contract/test_formats.py",
    )
    assert judge(harmless).verdict == "survived"


def test_a_mutant_that_does_not_fit_is_refused() -> None:
    with pytest.raises(MutantError, match=r"nowhere: README\.md has 0 times instead of once: no such line"):
        judge(Mutant(name="nowhere", file="README.md", old="no such line", new="", caught_by="tests"))
