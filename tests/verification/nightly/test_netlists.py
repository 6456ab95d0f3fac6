"""What synthesis makes of a whole board, SDRAM and all, does what the board does."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.wire import RunState, SampleKind, StoredRun
from presparse.device.session import Session
from presparse.reference.pytorch import Reference
from presparse_sim.board import open_link
from tests.host.fitting.test_stored_training_on_sim import assert_equal, contents, finish
from tests.networks import random_model

pytestmark = pytest.mark.nightly

NETWORK = Network(
    features=15, classes=3, layers=(16, 16, 4), out_degree=(4, 2), lanes=(8, 4), activations=("relu", "sigmoid")
)


def test_a_board_of_cells_trains_from_its_sdram() -> None:
    """Link, decoder, palettes, SDRAM controller with its test, and core: equal to the reference in every bit."""
    rng = np.random.default_rng(1)
    build = Build(network=NETWORK, store_memory="sdram", store_samples=200, sample_bits=3)
    model, stored = random_model(rng, NETWORK), contents(rng, build, 200)
    reference = Reference(build, model)
    session = Session(lambda: open_link(build, netlist="ulx3s-25f"), build)
    session.load(model)
    session.store(stored)
    for number, seed in enumerate((0, 0xBADC0DE), start=1):
        run = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=stored.slot, count=200, seed=seed)
        session.begin(run)
        assert finish(session) == RunState(running=False, fed=200, runs=number)
        reference.run(stored.samples(run))
        reference.flush()
        assert_equal(session.read(), reference)
    session.close()
