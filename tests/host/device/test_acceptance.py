"""What every device refuses: models of other networks, and patterns that clash on its lanes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.device.session import Session
from presparse.errors import ModelError, PatternError
from presparse.model import Model
from presparse.reference.emulator import Emulator
from tests.host.device.protocol_board import BoardLink, ProtocolBoard

NETWORK = Network(
    name="narrow",
    features=5,
    classes=3,
    layers=(6, 4, 4),
    out_degree=(2, 2),
    lanes=(3, 2),
    activations=("relu", "sigmoid"),
)


def board(build: Build) -> Accelerator:
    simulated = ProtocolBoard(build)
    return Accelerator(Session(lambda: BoardLink(simulated), build))


def emulator(build: Build) -> Accelerator:
    return Accelerator(Emulator(build))


@pytest.mark.parametrize("open_one", [board, emulator])
def test_a_pattern_that_clashes_on_wider_lanes(open_one: Callable[[Build], Accelerator]) -> None:
    """Lanes are a build's: a network with more of them has the same hash, and a pattern was checked for fewer."""
    wider = Network.model_validate({**NETWORK.model_dump(), "lanes": (6, 2)})
    assert wider.hash == NETWORK.hash
    with open_one(Build(network=wider)) as opened:
        with pytest.raises(PatternError, match=r"^junction 1: not clash-free for 6 lanes: in cycle "):
            opened.load(Model.initial(NETWORK, pattern="free", random_state=1))
        opened.load(Model.initial(wider, pattern="free", random_state=1))


@pytest.mark.parametrize("open_one", [board, emulator])
def test_fewer_lanes_take_every_pattern(open_one: Callable[[Build], Accelerator]) -> None:
    model = Model.initial(NETWORK, pattern="free", random_state=1)
    with open_one(Build(network=NETWORK, lanes=(1, 1))) as opened:
        opened.load(model)
        assert opened.read_model().differences(model) == []


@pytest.mark.parametrize("open_one", [board, emulator])
def test_another_network(open_one: Callable[[Build], Accelerator]) -> None:
    other = Network.model_validate({**NETWORK.model_dump(), "classes": 2})
    with open_one(Build(network=other)) as opened, pytest.raises(ModelError, match="load a model of the build's netw"):
        opened.load(Model.initial(NETWORK))
