"""What accuracy is expected: cases worked out by hand, and nearer to the truth than what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.model_search.ranking.expectation import expected


@pytest.mark.parametrize(
    ("distance", "share"),
    [
        # 0.9 and 0.8 of 100: errors 0.15, luck 0.15 * 0.85 / 100 = 0.001275. Mean and part are both networks'.
        (100, 0.0234 / (0.0234 + 0.001275)),  # unlike one another: 0.15^2 (1 + 0.2^2) = 0.0234
        (0, 0.0009 / (0.0009 + 0.001275)),  # alike: 0.15^2 0.2^2 = 0.0009
    ],
)
def test_two_networks(distance: float, share: float) -> None:
    found = expected([[0], [distance]], [0, 1], [0, 0], [0.9, 0.8], 100)
    np.testing.assert_allclose(found, [0.85 + 0.05 * share, 0.85 - 0.05 * share], atol=1e-6)


def test_many_measurements_are_believed() -> None:
    found = expected([[0], [0]], [0, 1], [0, 0], [0.9, 0.8], 10**6)
    np.testing.assert_allclose(found, [0.9, 0.8], atol=1e-4)


def test_hard_parts_are_told_from_bad_networks() -> None:
    """All five were seen on part 0, and one on the harder part 1 besides: its mean is the lowest."""
    found = expected([[0]] * 5, [0, 1, 2, 3, 4, 4], [0, 0, 0, 0, 0, 1], [0.95, 0.95, 0.95, 0.95, 0.97, 0.90], 200)
    assert found.argmax() == 4


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_all_right_or_wrong(accuracy: float) -> None:
    assert expected([[], []], [0, 0, 1], [0, 1, 0], [accuracy] * 3, 3) == pytest.approx([accuracy] * 2)


@pytest.mark.parametrize("parts", [1, 3])
def test_nearer_to_the_truth_than_what_was_measured(parts: int) -> None:
    """60 networks whose errors fall with size, measured on 200 samples a part, 50 times: what is expected is nearer
    to the truth, and the best is about as good as expected, where it was measured better than it is."""
    rng = np.random.default_rng(1)
    networks, measured_on = (numbers.ravel() for numbers in np.mgrid[:60, :parts])
    off: list[tuple[float, float]] = []
    flattered: list[tuple[float, float]] = []
    for _ in range(50):
        size = rng.uniform(0, 6, 60)
        truth = 1 - 0.1 * 2 ** (-size / 3) * rng.normal(1, 0.15, 60).clip(0.5, 1.5)
        measured = rng.binomial(200, truth[networks]) / 200
        means = measured.reshape(60, parts).mean(axis=1)
        found = expected(size[:, None], networks, measured_on, measured, 200)
        off.append((float(np.square(found - truth).mean()), float(np.square(means - truth).mean())))
        flattered.append((found.max() - truth[found.argmax()], means.max() - truth[means.argmax()]))
    ours, raw = np.mean(off, axis=0)
    assert ours < 0.6 * raw
    ours, raw = np.mean(flattered, axis=0)
    assert abs(ours) < 0.5 * raw
