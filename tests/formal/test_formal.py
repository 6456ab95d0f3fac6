"""The fast proofs, and that proofs find faults. All proofs: `make formal`; all faults: `make formal-mutants`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formal.catalogue import PROOFS
from tests.formal.mutants import MUTANTS, Mutant, survives
from tests.formal.proof import Proof
from tests.formal.prover import prove


@pytest.mark.parametrize("proof", [proof for proof in PROOFS if proof.fast], ids=lambda proof: proof.name)
def test_is_proved(proof: Proof, tmp_path: Path) -> None:
    outcome = prove(proof, tmp_path)
    assert outcome.verdict == "proved", outcome.findings


@pytest.mark.parametrize("mutant", [mutant for mutant in MUTANTS if mutant.fast], ids=lambda mutant: mutant.fault)
def test_fault_is_found(mutant: Mutant) -> None:
    """The proof fails, and names the line of the spec and the trace."""
    alive, printed = survives(mutant)
    assert not alive
    assert f"{mutant.proof}: failed" in printed
    assert "  tests/formal/specs/" in printed
    assert "  trace: " in printed


def test_each_proof_has_a_name_of_its_own_and_each_mutant_a_proof() -> None:
    names = [proof.name for proof in PROOFS]
    assert len(set(names)) == len(names)
    assert {mutant.proof for mutant in MUTANTS} <= set(names)
