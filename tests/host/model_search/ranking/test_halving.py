"""The plan of a search: it depends on results alone, leaves no worker without work, and promotes the best."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presparse.errors import ArgumentError
from presparse.model_search.ranking.halving import Halving
from presparse.model_search.ranking.objectives import Objectives
from presparse.model_search.ranking.pareto import ranks

Made = list[tuple[Any, Any]]


def figures(candidate: int, epochs: int, seed: int = 0) -> dict[str, float]:
    """Any, always the same ones; one candidate in ten does not fit, and is not trained."""
    chance = hashlib.sha256(f"{seed} {candidate}".encode()).digest()
    known = {"fits": float(chance[0] >= 26), "speed": 1000.0 + 100 * chance[1], "edges": 10.0 + chance[2]}
    accuracy = chance[3] / 512 + (1 - 1 / epochs) / 2
    return known | ({"accuracy": accuracy} if known["fits"] else {})


def whole(search: Halving, seed: int = 0) -> Made:
    """All trials that a search plans, with their figures."""
    done: Made = []
    while len(done) < len(plan := search.plan(done)):
        trial = plan[len(done)]
        done.append((trial, figures(trial["candidate"], trial["epochs"], seed)))
    return done


def front(search: Halving, done: Made) -> Made:
    """Those at the end of the ladder that have the accuracy that is asked for, and that none dominates; with their
    figures, the most accurate first."""
    last = {trial["candidate"]: each for trial, each in done if trial["epochs"] == search.ladder[-1]}
    asked = search.objectives
    able = [each for each in last.items() if asked.possible(each[1]) and not asked.short_of(each[1]["accuracy"])]
    of = ranks([asked.point(each) for _, each in able]) if able else ()
    best = [each for each, rank in zip(able, of, strict=True) if rank == 0]
    return sorted(best, key=lambda each: -each[1]["accuracy"])


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(candidates=st.integers(1, 30), seed=st.integers(0, 99), group=st.sampled_from([3, 6, 9]), data=st.data())
def test_a_plan_only_grows_and_depends_on_results_alone(
    candidates: int, seed: int, group: int, data: st.DataObject
) -> None:
    one = Halving(candidates=candidates, group=group)
    done = whole(one, seed)
    plans = [Halving(candidates=candidates, group=group).plan(done[:k]) for k in range(len(done) + 1)]
    for k, (plan, longer) in enumerate(pairwise(plans)):
        assert longer[: len(plan)] == plan
        assert plan[:k] == [trial for trial, _ in done[:k]]
    assert plans[-1] == [trial for trial, _ in done]
    for k in data.draw(st.lists(st.integers(0, len(done)), max_size=5)):  # back, too
        assert one.plan(done[:k]) == plans[k]
    assert one.plan(whole(one, seed + 1)) == [trial for trial, _ in whole(one, seed + 1)]


def test_as_many_workers_as_a_group_never_wait_for_a_rung() -> None:
    search = Halving(candidates=None)
    done: Made = []
    while len(done) < 300:
        plan = search.plan(done)
        assert len(plan) - len(done) >= 9
        done += [(trial, figures(trial["candidate"], trial["epochs"])) for trial in plan[len(done) :][:7]]


@settings(max_examples=10, deadline=None)
@given(candidates=st.integers(1, 100), seed=st.integers(0, 99), group=st.sampled_from([3, 9]))
def test_a_third_goes_up_from_every_rung(candidates: int, seed: int, group: int) -> None:
    done = whole(Halving(candidates=candidates, group=group), seed)
    assert len({(trial["candidate"], trial["epochs"]) for trial, _ in done}) == len(done)
    made = Counter(trial["epochs"] for trial, _ in done)
    trained = Counter(trial["epochs"] for trial, each in done if "accuracy" in each)
    assert made[3] == candidates
    assert made[9] == -(-trained[3] // 3)
    assert made[27] == -(-trained[9] // 3)
    reached: dict[int, int] = {}
    for trial, _ in done:
        assert trial["after"] == reached.get(trial["candidate"], 0)
        reached[trial["candidate"]] = trial["epochs"]


def made(points: list[tuple[float, float]], more: dict[int, dict[str, float]] | None = None) -> Made:
    """Nine candidates' first results, and what else their figures say."""
    return [
        (
            {"candidate": number, "epochs": 3, "after": 0},
            {"accuracy": accuracy, "speed": speed, "fits": 1.0, **(more or {}).get(number, {})},
        )
        for number, (accuracy, speed) in enumerate(points)
    ]


FRONT = [(0.9, 1e3), (0.8, 1e4), (0.5, 1e5)]
BEHIND = [(0.7, 1e3), (0.6, 1e4), (0.4, 1e5), (0.3, 1e3), (0.2, 1e3), (0.1, 1e3)]


def promoted(search: Halving, done: Made) -> set[int]:
    return {trial["candidate"] for trial in search.plan(done) if trial["epochs"] == 9}


def test_promoted_ones_come_before_the_next_group() -> None:
    plan = [(trial["candidate"], trial["epochs"]) for trial in Halving(candidates=60).plan(made([*BEHIND, *FRONT]))]
    assert plan[:18] == [(candidate, 3) for candidate in range(18)]
    assert {epochs for _, epochs in plan[18:21]} == {9}
    assert plan[21:] == [(candidate, 3) for candidate in range(18, 27)]


def test_the_front_is_promoted_whatever_its_accuracy() -> None:
    assert promoted(Halving(candidates=9), made([*BEHIND, *FRONT])) == {6, 7, 8}


def test_who_does_not_fit_or_is_too_slow_is_not_promoted() -> None:
    unfit = made([*FRONT, *BEHIND], {0: {"fits": 0.0}, 1: {"fits": 0.0}})
    assert promoted(Halving(candidates=9), unfit) == {2, 3, 4}
    fast = Objectives(at_least={"speed": 5e4})
    assert promoted(Halving(candidates=9, objectives=fast), made([*FRONT, *BEHIND])) == {2}  # of two
    assert front(Halving(candidates=9, objectives=fast), made([*FRONT, *BEHIND])) == []


def test_who_will_miss_the_accuracy_comes_after_all_others() -> None:
    asked = Objectives(at_least={"accuracy": 0.65})
    assert promoted(Halving(candidates=9, objectives=asked), made([*FRONT, *BEHIND])) == {0, 1, 3}
    asked = Objectives(at_least={"accuracy": 0.95})  # nobody has it; the nearest go on
    assert promoted(Halving(candidates=9, objectives=asked), made([*FRONT, *BEHIND])) == {0, 1, 3}


def test_what_others_gained_counts_before_an_accuracy_is_missed() -> None:
    asked = Objectives(at_least={"accuracy": 0.65})
    search = Halving(candidates=None, objectives=asked, ladder=(3, 9))
    done = made([*FRONT, *BEHIND])
    while len(done) < len(plan := search.plan(done)) and len(done) < 100:
        trial = plan[len(done)]
        accuracy, speed = [*FRONT, *BEHIND][trial["candidate"] % 9]
        done.append((trial, {"accuracy": accuracy + 0.2 * (trial["epochs"] == 9), "speed": speed}))
    late = {trial["candidate"] % 9 for trial in plan[60:] if trial["epochs"] == 9}
    assert 2 in late  # 0.5 and fast: with the 0.2 that others gained, that is enough
    assert 5 not in late  # 0.4 is not


def test_other_objectives_are_ranked_alike() -> None:
    small = Objectives(names=("accuracy", "edges"))
    edges = {number: {"edges": 100.0 + 10 * number} for number in range(9)}
    search = Halving(candidates=9, objectives=small)
    assert promoted(search, made([(0.5, 1.0)] * 9, edges)) == {0, 1, 2}


def test_the_front_is_of_the_last_rung_and_meets_all_bounds() -> None:
    search = Halving(candidates=40, objectives=Objectives(at_least={"accuracy": 0.6, "speed": 1500}))
    done = whole(search)
    found = front(search, done)
    assert found
    assert [each["accuracy"] for _, each in found] == sorted((each["accuracy"] for _, each in found), reverse=True)
    assert [each["speed"] for _, each in found] == sorted(each["speed"] for _, each in found)
    last = [(trial["candidate"], each) for trial, each in done if trial["epochs"] == 27]
    for candidate, each in found:
        assert (candidate, each) in last
        assert each["accuracy"] >= 0.6
        assert each["speed"] >= 1500
        assert not any(o["accuracy"] > each["accuracy"] and o["speed"] > each["speed"] for _, o in last)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"candidates": 0}, "candidates must be 1 or more, and is 0"),
        ({"ladder": (3, 3)}, r"ladder must be ascending numbers of epochs, and is \[3, 3\]"),
        ({"ladder": ()}, r"ladder must be ascending numbers of epochs, and is \[\]"),
        ({"ladder": (0, 3)}, "ladder must be ascending"),
        ({"group": 10}, "group must be a multiple of 3, of which a third is promoted, and is 10"),
    ],
)
def test_what_cannot_be_is_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Halving(**{"candidates": 9, **arguments})
