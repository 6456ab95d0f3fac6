"""All proofs, in the order in which they matter to who loses a sample."""

from __future__ import annotations

from tests.verification.formal.proof import Proof
from tests.verification.formal.specs import controller, delta_bank, junction, queue, sdram, skid
from tests.verification.formal.specs.link import cobs, deframer, slots, window
from tests.verification.formal.specs.samples import expander, splitter
from tests.verification.formal.specs.store import player, reader

_SUBJECTS = (
    delta_bank, junction, queue, skid, controller, splitter, expander, player, reader, sdram,
    window, slots, deframer, cobs,
)  # fmt: skip

PROOFS: tuple[Proof, ...] = tuple(proof for subject in _SUBJECTS for proof in subject.PROOFS)
