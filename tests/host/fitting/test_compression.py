"""When a board gets palettes, which, and that fits and predictions go by them."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.device.session import Session
from presparse.features.inputs import Inputs
from presparse.fitting.compression import compress, palettes_for
from presparse.model import Model
from presparse.reference.emulator import Emulator
from tests.host import small
from tests.host.device.protocol_board import RESULTS, WRITE, BoardLink, ProtocolBoard

BUILD = Build(network=small.NETWORK, result_capacity=16, sample_bits=4)
X, Y = small.clusters(1, 400)
ROUNDED = Model.initial(small.NETWORK, inputs=Inputs.fit(X, palettes=16))
PLAIN = Model.initial(small.NETWORK, inputs=Inputs.fit(X))

pytestmark = pytest.mark.filterwarnings("ignore::presparse.errors.LearningWarning")


def on_board(build: Build = BUILD) -> tuple[Accelerator, ProtocolBoard]:
    board = ProtocolBoard(build)
    return Accelerator(Session(lambda: BoardLink(board), build)), board


def test_palettes_hold_what_was_never_seen() -> None:
    assert BUILD.sample_format is not None
    found = palettes_for(BUILD.sample_format, ROUNDED, ROUNDED.encode(X[:5]))
    found.encode(ROUNDED.encode(1000 * X - 500))
    alike = ROUNDED.encode(np.tile(X[:1], (9, 1)))
    assert (palettes_for(BUILD.sample_format, ROUNDED, alike).values[:, 0] == alike[0, :7]).all()


def test_palettes_are_given_where_they_pay() -> None:
    device, features = Emulator(BUILD), ROUNDED.encode(X)
    raw = "20 bytes per sample, uncompressed"
    assert compress(device, ROUNDED, features[:20]) == f"{raw}: palettes pay for more samples"
    assert device.palettes is None
    assert compress(device, PLAIN, PLAIN.encode(X), 9).startswith(
        f"{raw}: the board's sample words tell 16 values apart"
    )
    assert device.palettes is None
    told = compress(device, ROUNDED, features[:100], passes=5)
    assert told.endswith(" bytes per sample, compressed, 20 without")
    given = device.palettes
    assert given is not None
    assert compress(device, ROUNDED, features[:20]) == "at most 20 bytes per sample, by the palettes that the board has"
    compress(device, ROUNDED, features[::-1], passes=5)
    assert device.palettes is given  # which hold them as well
    assert compress(Emulator(small.BUILD), ROUNDED, features, 9) == ""


@pytest.mark.slow
def test_a_fresh_fit_is_compressed_and_so_are_its_predictions() -> None:
    board, simulated = on_board()
    history = board.fit(X, Y, epochs=1, lr=2**-4)
    assert history.chosen == "features rounded to 16 values"
    assert "compressed" in history.reason
    assert simulated.compressed == simulated.accepted == 400
    model = board.read_model()
    assert model.inputs.palettes.shape == (7, 16)
    simulated.executed.clear()
    other, labels = small.clusters(2, 300)
    np.testing.assert_array_equal(board.predict(other), model.predict(other))
    np.testing.assert_array_equal(board.raw_outputs(other), model.raw_outputs(other))
    assert board.score(other, labels) == model.score(other, labels)
    assert simulated.compressed == simulated.accepted == 1300
    assert WRITE not in simulated.executed
    assert RESULTS in simulated.executed


@pytest.mark.slow
def test_a_fit_through_the_link_leaves_the_palettes_of_what_is_stored() -> None:
    board, simulated = on_board(Build(network=small.NETWORK, result_capacity=16, store_samples=100))
    board.load(ROUNDED)
    board.store(X[:100], Y[:100])
    before = board.score()
    other = Model.initial(small.NETWORK, inputs=Inputs.fit(2 * X, "overall", palettes=16))
    board.load(other)
    history = board.fit(np.tile(X, (2, 1)), np.tile(Y, 2), epochs=1, lr=2**-5)
    assert history.source == "link"
    assert "stored samples go by other palettes" in history.reason
    assert simulated.compressed == 0
    board.load(ROUNDED)
    assert board.score() == before
