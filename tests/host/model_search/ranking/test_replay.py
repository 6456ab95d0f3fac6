"""Searches over recorded trials: halving by Pareto rank is worth twice its epochs at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from presparse.errors import DataError
from presparse.model_search.ranking.replay import Table, halving, load, orders, picture, random_search

TRIALS = Path(__file__).parent / "digits-120-trials.jsonl"
"""Of networks that were drawn at random, for scikit-learn's digits."""
PARETO = halving("accuracy", "speed")


def table(case: str = "ulx3s-25f/train") -> Table:
    return Table(load(TRIALS), case)


def compared(case: str, candidates: int, count: int) -> tuple[float, float]:
    """Mean share of the hypervolume: of Pareto halving over so many candidates, and of random search over candidates
    in the same order with twice the epochs."""
    trials = table(case)
    found = []
    for order in orders(120, count):
        halved = PARETO(trials, order[:candidates])
        spent = max(epochs for epochs, _ in halved)
        found.append((trials.reached(halved, spent), trials.reached(random_search(trials, order), 2 * spent)))
    return tuple(np.mean(found, axis=0))


CASES = [
    ("ulx3s-25f/train", 120),
    ("ulx3s-25f/infer", 60),
    pytest.param("ulx3s-25f/train", 60, marks=pytest.mark.nightly),
    pytest.param("ulx3s-25f/infer", 120, marks=pytest.mark.nightly),
    pytest.param("ulx3s-85f/train", 60, marks=pytest.mark.nightly),
    pytest.param("ulx3s-85f/train", 120, marks=pytest.mark.nightly),
]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "candidates"), CASES)
def test_halving_finds_as_much_as_random_search_with_twice_the_epochs(case: str, candidates: int) -> None:
    halved, random = compared(case, candidates, 200)
    assert halved >= random


@pytest.mark.slow
def test_accuracy_alone_finds_less() -> None:
    trials = table()
    reached = {
        name: np.mean([trials.reached(search(trials, order), 10_000) for order in orders(120, 40)])
        for name, search in {"both": PARETO, "one": halving("accuracy")}.items()
    }
    assert reached["one"] < 0.9 * reached["both"]


def test_epochs_are_counted_as_they_are_trained() -> None:
    trials = table()
    fitting = sum(trial.estimates[trials.case].fits for trial in trials.trials)
    assert fitting == 119
    assert random_search(trials, orders(120, 1)[0])[-1][0] == 27 * fitting
    # 119 for 3 epochs, 40 of these for 6 more, and 14 of these for 18 more
    assert PARETO(trials, orders(120, 1)[0])[-1][0] == 119 * 3 + 40 * 6 + 14 * 18
    assert trials.reached(random_search(trials, range(120)), 10_000) == 1
    assert trials.reached([], 10_000) == 0


@pytest.mark.slow
def test_the_picture_is_drawn() -> None:
    assert picture(table(), 1).startswith(b"\x89PNG")


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"have estimates for ulx3s-25f/infer, .*, and none for ulx3s"):
        table("ulx3s")
    other = tmp_path / "other.jsonl"
    for text, reason in (("", "it is empty"), ("{}", "edges is missing"), ("no", "Invalid JSON")):
        other.write_text(text)
        with pytest.raises(DataError, match=f"not a file of recorded trials .*{reason}"):
            load(other)
    with pytest.raises(DataError, match="No such file"):
        load(tmp_path / "none.jsonl")
