"""The session on the gateware itself, over a link that loses, alters and repeats bytes, or closes: still exact."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.device import session as session_module
from presparse.device.links.faulty import Faults
from presparse.device.session import Session
from presparse.reference.pytorch import Reference
from presparse_sim.board import open_link
from tests.host import small
from tests.host.device.cable import Cable
from tests.networks import random_samples

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [0, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1, 3))])
def test_faults_and_cuts_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)
    rng = np.random.default_rng(seed)
    board = open_link(small.BUILD)
    cable = Cable(board)
    session = Session(cable, small.BUILD, timeout=0.02, retries=60)
    model = small.model(seed)
    reference = Reference(small.BUILD, model)
    session.load(model)
    cut = seed % 2 == 1
    own, other = [], []
    for count in (400, 900, 1, 300):
        samples = small.training(count, count) if cut else random_samples(rng, small.BUILD, count)
        if cut:
            cable.last.cut_after = int(rng.integers(1, 20 * count))
        else:
            cable.last.faults = Faults(rng, 0.2)
        own.append(session.feed(samples))
        other.append(reference.run(samples))
    cable.last.cut_after = None
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
        assert len(cable.opened) > 1
    else:
        assert counters["frames_repeated"] > 0
        assert counters["frames_corrupt"] > 0
    board.close()
