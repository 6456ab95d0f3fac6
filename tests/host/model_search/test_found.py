"""Which network of a front is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.messages.bundle import Resource, Use
from presparse.messages.estimate import Estimate
from presparse.model import Model
from presparse.model_search.found import Entry, Found, cost

_NETWORK = Network.load("digits-small")
_SOME = Resource(used=1_000, available=24_000)


def entry(name: str, accuracy: float, speed: float, *, lut: int = 1_000) -> Entry:
    network = _NETWORK.model_copy(update={"name": name})
    return Entry(
        network=network,
        model=Model.initial(network),
        accuracy=accuracy,
        interval=0.002,
        chosen_by=accuracy,
        estimate=Estimate(
            network=name,
            board="a board",
            mode="train",
            lanes=(8, 8),
            calibrated=True,
            fits=True,
            short="",
            use=Use(lut=_used(lut), ff=_SOME, dsp=_SOME, block_ram=_SOME, distributed_ram=_SOME),
            fmax_mhz=100.0,
            clock_mhz=100.0,
            cycles_per_sample=128,
            samples_per_second=speed,
            latency_cycles=200,
            latency_us=2.0,
            sources=(),
            junctions=(),
        ),
        rate=5,
        epochs=27,
    )


def _used(used: int) -> Resource:
    return Resource(used=used, available=24_000)


SLOW, MIDDLE, FAST = entry("slow", 0.98, 1e5, lut=9_000), entry("middle", 0.97, 1e6), entry("fast", 0.9, 4e6)
FOUND = Found(front=[SLOW, MIDDLE, FAST], references=[], tried=[(0.98, 1e5)], trials=3)


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ({}, SLOW),
        ({"speed": 5e5}, MIDDLE),
        ({"speed": 4e6}, FAST),
        ({"accuracy": 0.96}, MIDDLE),
        ({"accuracy": 0.96, "speed": 1e5}, MIDDLE),
        ({"lut": 5_000}, MIDDLE),
        ({"weight": 0.0}, SLOW),
        ({"weight": 0.05}, MIDDLE),
        ({"weight": 10.0}, FAST),
    ],
)
def test_taken(asked: dict[str, float], taken: Entry) -> None:
    assert FOUND.best(**asked) is taken


def test_nothing_meets_it_and_the_nearest_is_named() -> None:
    with pytest.raises(
        ArgumentError, match=r"accuracy 0\.975, speed 1e\+06; the nearest is middle, with accuracy 0\.97"
    ):
        FOUND.best(accuracy=0.975, speed=1e6)


def test_unknown_figure() -> None:
    with pytest.raises(ArgumentError, match="no 'watts'; choose by accuracy, speed, lut"):
        FOUND.best(watts=3)


def test_nothing_found() -> None:
    with pytest.raises(ArgumentError, match="no network was found"):
        replace(FOUND, front=[]).best()


def test_cost_is_deys() -> None:
    """One wrong answer in ten, and a sample in a quarter of the slowest network's time, which weighs 0.2."""
    assert cost(0.9, 4e6, 1e6, 0.2) == pytest.approx(0.1 + 0.2 * 0.25)
