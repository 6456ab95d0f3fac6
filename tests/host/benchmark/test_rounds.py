"""Contestants take turns, get about the time they should, and are compared within a round."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from presparse.benchmark.rounds import Rates, interleave, three_digits
from presparse.benchmark.workload import parts, training_samples
from presparse.contract.network import Network
from tests.host import small


def test_contestants_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = 0.0, []

    def contestant(name: str, each: float) -> Callable[[int], None]:
        def train(count: int) -> None:
            nonlocal clock
            clock += count * each
            calls.append((name, count))

        return train

    monkeypatch.setattr(time, "process_time", lambda: clock)
    told: list[tuple[int, int, str]] = []
    rates = interleave(
        {"slow": contestant("slow", 0.01), "fast": contestant("fast", 0.001)},
        rounds=3,
        seconds=2.0,
        tell=lambda *step: told.append(step),
    )
    assert calls[-6:] == [("slow", 200), ("fast", 2000)] * 3
    assert rates["slow"].median == pytest.approx(100)
    assert rates["fast"].times(rates["slow"]) == pytest.approx(10)
    assert told[-1] == (7, 8, "round 3 of 3: fast")


def test_long_steps_are_not_taken_eight_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, counts = 0.0, []

    def contestant(count: int) -> None:
        nonlocal clock
        clock += count * 3.0
        counts.append(count)

    monkeypatch.setattr(time, "process_time", lambda: clock)
    assert interleave({"slow": contestant}, rounds=2, seconds=1.0, least=1)["slow"].median == pytest.approx(1 / 3)
    assert counts == [1, 1, 1]


def test_of_several_threads_the_time_that_passes_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = 0

    def train(count: int) -> None:
        nonlocal trained
        trained += count

    monkeypatch.setattr(time, "process_time", lambda: trained * 0.01)
    monkeypatch.setattr(time, "perf_counter", lambda: trained * 0.02)
    rates = interleave({"one": train, "two": train}, rounds=1, seconds=1.0, threaded=["two"])
    assert [rates[name].median for name in ("one", "two")] == pytest.approx([100, 50])


def test_figures_have_three_digits() -> None:
    figures = [three_digits(value) for value in (1_234_567.0, 123.4, 99.96, 12.345, 0.0012345)]
    assert figures == ["1,230,000", "123", "100", "12.3", "0.00123"]


def test_ratios_are_medians_of_rounds() -> None:
    """A round in which the machine was slow for both says as much as any other."""
    assert Rates((10.0, 2.0, 30.0)).times(Rates((5.0, 1.0, 10.0))) == 2.0
    assert Rates((10.0, 2.0, 30.0)).median == 10.0


def test_parts_go_round() -> None:
    assert list(parts(5, 12, 3)) == [slice(0, 3), slice(3, 5), slice(0, 3), slice(3, 5), slice(0, 2)]
    assert list(parts(5, 4, 5)) == [slice(0, 4)]


def test_the_workload_is_valid_and_mostly_dark() -> None:
    network = Network.load("mnist")
    samples = training_samples(network, 50)
    lit = samples.features[:, : network.features] > 0
    assert 0.15 < lit.mean() < 0.25
    assert not samples.features[:, network.features :].any()
    assert len(training_samples(small.NETWORK, 9)) == 9
