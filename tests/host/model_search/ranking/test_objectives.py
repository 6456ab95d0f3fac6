"""What counts of a network's figures."""

from __future__ import annotations

import pytest

from presparse.errors import ArgumentError
from presparse.model_search.ranking.objectives import Objectives

FIGURES = {"fits": 1.0, "accuracy": 0.9, "speed": 2.0**20, "lut": 4096.0, "latency": 0.25, "edges": 1024.0}


def test_all_that_counts_is_maximized() -> None:
    assert Objectives().point(FIGURES) == (0.9, 20.0)
    assert Objectives(names=("edges", "lut", "latency", "accuracy")).point(FIGURES) == (-10.0, -12.0, 2.0, 0.9)


def test_what_training_does_not_change_decides_early() -> None:
    fast = Objectives(at_least={"speed": 2e6, "accuracy": 0.99})
    assert not fast.possible(FIGURES)
    assert fast.possible({**FIGURES, "speed": 2e6})
    assert fast.possible({"accuracy": 0.1})  # nothing is known yet
    assert not Objectives().possible({**FIGURES, "fits": 0.0})
    assert Objectives(at_least={"lut": 5_000.0}).possible(FIGURES)
    assert not Objectives(at_least={"lut": 4_000.0}).possible(FIGURES)
    assert fast.short_of(0.9) == pytest.approx(0.09)
    assert fast.short_of(0.995) == 0.0
    assert Objectives().short_of(0.1) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ()}, "objectives must be some of accuracy, speed, lut, latency, edges, each once, and are "),
        ({"names": ("speed", "speed")}, "each once"),
        ({"names": ("speed", "beauty")}, r"are \['speed', 'beauty'\]"),
        ({"at_least": {"watts": 5.0}}, "at_least bounds accuracy, speed, lut, .*, and 'watts' is none of these"),
        ({"at_least": {"accuracy": 96.0}}, "at_least accuracy must be more than 0 and at most 1 .*, and is 96.0"),
        ({"at_least": {"speed": 0.0}}, "at_least speed must be more than 0, and is 0.0"),
        ({"at_least": {"speed": float("nan")}}, "and is nan"),
    ],
)
def test_what_cannot_be_is_refused_by_name(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Objectives(**arguments)  # pyright: ignore[reportArgumentType]  # wrong on purpose
