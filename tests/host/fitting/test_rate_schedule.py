"""Rates and lengths of trainings: what follows from the epochs so far."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from presparse.errors import RateError
from presparse.fitting.rate_schedule import (
    FEWEST_EPOCHS,
    MOST_EPOCHS,
    SEEN,
    FallingRate,
    RateSchedule,
    epochs_for,
    kept_epoch,
    schedule_of,
)
from presparse.history import Epoch
from tests.host.small import NETWORK


def epochs(validations: Sequence[float | None]) -> list[Epoch]:
    return [Epoch(lr=0.1, samples=100, accuracy=0.5, validation=each, seconds=1.0) for each in validations]


def rates(schedule: RateSchedule, validations: Sequence[float | None]) -> list[int]:
    """Exponents of a training whose epochs reach these."""
    found: list[int] = []
    while (exponent := schedule.exponent(epochs(validations[: len(found)]))) is not None:
        found.append(exponent)
    return found


def falling(**given: int) -> FallingRate:
    return FallingRate(**{"exponents": range(2, 9), "first": 4, "epochs": 100, "patience": 3, "measured": 100, **given})  # pyright: ignore[reportArgumentType]


def test_the_rate_falls_where_epochs_gain_nothing_and_three_falls_later_the_training_ends() -> None:
    gains = [0.1, 0.2, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
    assert rates(falling(), gains) == [4, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 7, 7, 7]


def test_it_falls_no_further_than_the_network_has_rates() -> None:
    assert rates(falling(first=7, patience=1), [0.5] * 9) == [7, 7, 8, 8, 8]


@pytest.mark.parametrize(
    ("most", "wanted"),
    [(1, [4]), (2, [4, 5]), (3, [4, 5, 6]), (5, [4, 4, 4, 5, 6]), (10, [4] * 6 + [5, 5, 6, 7]), (20, None)],
)
def test_it_falls_before_the_last_epoch_though_all_gain(most: int, wanted: list[int] | None) -> None:
    found = rates(falling(epochs=most), [number / 100 for number in range(most)])
    assert found == (wanted or [4] * 12 + [5] * 4 + [6] * 2 + [7] * 2)


def test_without_held_out_samples_the_training_ones_count() -> None:
    schedule = falling(patience=2)
    assert rates(schedule, [None] * 9) == [4, 4, 4, 5, 5, 6, 6, 7, 7]


def test_given_rates_are_taken_as_they_are() -> None:
    schedule = schedule_of(NETWORK, [2**-3, 2**-4], epochs=None, patience=None, samples=10, held_out=0)
    assert rates(schedule, [0.5] * 9) == [3, 4]
    assert schedule.kept(epochs([0.9, 0.1])) is None
    patient = schedule_of(NETWORK, 2**-3, epochs=50, patience=2, samples=10, held_out=500)
    assert rates(patient, [0.5, 0.6, 0.55, 0.6, 0.9]) == [3] * 4
    assert patient.kept(epochs([0.5, 0.6, 0.5])) == 2


@pytest.mark.parametrize(
    ("lr", "message"),
    [
        ("fast", "lr must be 'auto', a number such as 2\\*\\*-5, or one per epoch, and is 'fast'"),
        ([], r"one per epoch \(1\), and has 0"),
        (0.3, "and not with 0.3"),
    ],
)
def test_what_is_no_rate(lr: object, message: str) -> None:
    with pytest.raises(RateError, match=message):
        schedule_of(NETWORK, lr, epochs=None, patience=None, samples=10, held_out=0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("validations", "measured", "wanted"),
    [
        ([0.5, 0.9, 0.9], 1000, 3),
        ([0.5, 0.95, 0.9], 1000, 2),
        ([0.5, 0.95, 0.945], 1000, 3),  # within a standard error, 0.7 %
        ([0.6, 1.0, 0.8, 0.9, 0.8], 10, 4),  # ten samples that an early epoch got right say little
        ([1.0], 1, 1),
        ([], 10, None),
    ],
)
def test_the_epoch_that_is_kept(validations: list[float], measured: int, wanted: int | None) -> None:
    assert kept_epoch(epochs(validations), measured) == wanted


def test_small_sets_get_many_epochs_and_large_ones_some() -> None:
    assert [epochs_for(n) for n in (1, SEEN // 200, SEEN, 60_000_000)] == [
        MOST_EPOCHS,
        200,
        FEWEST_EPOCHS,
        FEWEST_EPOCHS,
    ]
