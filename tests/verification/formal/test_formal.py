"""The fast proofs, and that a false claim is not proved. All proofs: `make formal`; what they find: `make mutants`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.hdl import Assert, Cover, Elaboratable, Module, Signal

from tests.verification.formal.catalogue import PROOFS
from tests.verification.formal.proof import Proof
from tests.verification.formal.prover import Verdict, prove

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("proof", [proof for proof in PROOFS if proof.fast], ids=lambda proof: proof.name)
def test_is_proved(proof: Proof, tmp_path: Path) -> None:
    outcome = prove(proof, tmp_path)
    assert outcome.verdict == "proved", outcome.findings


class _Counts(Elaboratable):
    """Counts from 0 to 5 and again; `claim` is made of the count."""

    def __init__(self, claim: Callable[[Signal], Assert | Cover]) -> None:
        self._claim = claim

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(3)
        m.d.sync += count.eq(count + 1)
        with m.If(count == 5):
            m.d.sync += count.eq(0)
        m.d.comb += self._claim(count)
        return m


@pytest.mark.parametrize(
    ("verdict", "claim"),
    [
        ("proved", lambda count: Assert(count < 6)),
        ("failed", lambda count: Assert(count != 5)),
        ("not inductive", lambda count: Assert(count != 7)),
        ("vacuous", lambda count: Cover(count == 7)),
    ],
)
def test_verdicts_and_the_line_that_they_name(
    verdict: Verdict, claim: Callable[[Signal], Assert | Cover], tmp_path: Path
) -> None:
    proof = Proof(name="a/b", claim="", spec=lambda: _Counts(claim), depth=1, cover_depth=10)
    outcome = prove(proof, tmp_path)
    assert outcome.verdict == verdict
    if verdict == "proved":
        assert outcome.findings == ()
    else:
        [finding] = outcome.findings
        assert finding.startswith("tests/verification/formal/test_formal.py:")
        assert finding.partition(": ")[2].startswith(f'("{verdict}", lambda count: ')
    assert (outcome.trace is not None) == (verdict in {"failed", "not inductive"})
    assert outcome.trace is None or outcome.trace.read_text().startswith("$")


def test_each_proof_has_a_name_of_its_own() -> None:
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)
