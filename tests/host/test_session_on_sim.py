"""The session on the gateware itself, over a link that loses, alters and repeats bytes, or closes: still exact."""

from __future__ import annotations

import numpy as np
import pytest

from presparse import session as session_module
from presparse.errors import LinkClosed
from presparse.reference import Reference
from presparse.session import Session
from presparse_sim.board import SimulatedBoard, open_link
from tests.host import small
from tests.host.protocol_board import Faults
from tests.networks import random_samples


class FaultyLink:
    """A link to a simulated board that outlives it."""

    def __init__(self, board: SimulatedBoard) -> None:
        self.board = board
        self.faults: Faults | None = None
        self.cut_after: int | None = None
        """Bytes written after which the link closes."""

    def write(self, data: bytes) -> None:
        self._pass(len(data))
        self.board.write(data if self.faults is None else self.faults.pass_on(data))

    def read(self, limit: int, timeout: float) -> bytes:
        self._pass(0)
        data = self.board.read(limit, timeout)
        return self.faults.pass_on(data) if data and self.faults is not None else data

    def close(self) -> None:
        self.cut_after = 0

    def _pass(self, count: int) -> None:
        if self.cut_after is not None:
            self.cut_after -= count
            if self.cut_after <= 0:
                raise LinkClosed("the test cut this link")


@pytest.mark.parametrize("seed", range(4))
def test_faults_and_cuts_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)
    rng = np.random.default_rng(seed)
    board = open_link(small.BUILD)
    links: list[FaultyLink] = []

    def open_board() -> FaultyLink:
        links.append(FaultyLink(board))
        return links[-1]

    session = Session(open_board, small.BUILD, timeout=0.02, retries=60)
    model = small.model(seed)
    reference = Reference(small.BUILD, model)
    session.load(model)
    cut = seed % 2 == 1
    own, other = [], []
    for count in (400, 900, 1, 300):
        samples = small.training(count, count) if cut else random_samples(rng, small.BUILD, count)
        if cut:
            links[-1].cut_after = int(rng.integers(1, 20 * count))
        else:
            links[-1].faults = Faults(rng, 0.06)
        own.append(session.run(samples))
        other.append(reference.run(samples))
    links[-1].cut_after = None
    own.append(session.flush())
    other.append(reference.flush())
    np.testing.assert_array_equal(np.concatenate(own), np.concatenate(other))
    held, expected = session.read(), reference.model()
    for kind in ("left", "weights", "biases"):
        for a, b in zip(getattr(held, kind), getattr(expected, kind), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=kind)
    counters = session.counters()
    assert {c: counters[c] for c in reference.counters} == reference.counters
    assert session.identify().accepted == 1601
    if cut:
        assert len(links) > 1
    else:
        assert counters["frames_repeated"] > 0
        assert counters["frames_corrupt"] > 0
    board.close()
