"""Scatter: worked by hand, against a plain implementation, extremes, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.errors import ArgumentError
from presparse.patterns import adjacency, scatter, segments, tiles


def blocks(count: int, size: int) -> NDArray[np.float64]:
    """Block-diagonal: `count` groups of `size` neurons that see only each other."""
    group = np.repeat(np.arange(count), size)
    return (group[:, None] == group).astype(np.float64)


def scalar(matrix: NDArray[np.float64], window: list[list[int]]) -> float:
    """The definition, one count at a time."""
    columns = sorted(column for members in window for column in members)
    mean = sum(matrix[row, column] for row in range(len(matrix)) for column in columns) / len(matrix) / len(columns)
    shares: list[float] = []
    for row in range(len(matrix)):
        for members in window:
            count = sum(matrix[row, column] for column in members)
            shares.append(min(1.0, count / (mean * len(members))))
    return sum(shares) / len(shares)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 0, 1, 0], [0, 1, 0, 1]], 1),  # one edge in each of the windows 0-1 and 2-3
        ([[1, 1, 0, 0], [0, 0, 1, 1]], 1 / 2),  # both edges in one window, none in the other
        ([[1, 1, 0, 0], [1, 0, 0, 1]], 3 / 4),
    ],
)
def test_by_hand(rows: list, expected: float) -> None:
    assert scatter(np.array(rows, dtype=float)) == expected


def test_unequal_degrees_by_hand() -> None:
    """Mean 3/8, windows of 2: an even share is 3/4. Counts (2, 1) and (0, 0) of it give (1, 1) and (0, 0)."""
    matrix = np.array([[1.0, 1, 0, 1], [0, 0, 0, 0]])
    assert scatter(matrix, np.array([0, 0, 1, 1])) == 1 / 2


def test_paths_count() -> None:
    """Two paths are as good as two edges, and more than an even share is no better than one."""
    window = np.array([0, 1])
    assert scatter(np.array([[1.0, 3]]), window) == pytest.approx((1 / 2 + 1) / 2)
    assert scatter(np.array([[4.0, 4]]), window) == 1
    # Every row sees 2 neurons, by two paths each: so 2 windows, not 4.
    assert scatter(np.array([[2.0, 0, 2, 0], [0, 2, 0, 2]])) == 1


@pytest.mark.parametrize("seed", range(20))
def test_against_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 4, size=rng.integers(2, 12, size=2)).astype(float)
    count = int(rng.integers(1, matrix.shape[1] + 1))
    window = rng.permutation(np.concatenate([np.arange(count), rng.integers(-1, count, matrix.shape[1] - count)]))
    members = [np.flatnonzero(window == w).tolist() for w in range(count)]
    assert scatter(matrix, window) == pytest.approx(scalar(matrix, members))


def test_extremes() -> None:
    assert scatter(np.ones((6, 10))) == 1
    assert scatter(np.zeros((6, 10))) == 0
    for count in (2, 3, 5):
        assert scatter(blocks(count, 1)) == 1  # one edge each, so one window
        assert scatter(blocks(count, 4), np.repeat(np.arange(count), 4)) == pytest.approx(1 / count)


def test_one_clash_free_sweep_per_group_is_perfect() -> None:
    """Each right neuron has one edge in every window of 4 left neurons, each left neuron in every of 3."""
    left = np.array([[4 * bank + (right + bank) % 4 for bank in range(3)] for right in range(4)])
    matrix = adjacency(left, 12)
    assert scatter(matrix) == 1
    assert scatter(matrix.T) == 1


def test_what_must_not_change_it() -> None:
    rng = np.random.default_rng(3)
    matrix = (rng.random((12, 20)) < 0.3).astype(float)
    window = segments(20, 5)
    expected = scatter(matrix, window)
    assert 0.3 < expected < 0.95
    assert scatter(rng.permutation(matrix), window) == pytest.approx(expected)  # right neurons in another order
    within = np.concatenate([rng.permutation(4) + 4 * w for w in range(5)])
    assert scatter(matrix[:, within], window) == pytest.approx(expected)  # left neurons within windows
    order = rng.permutation(20)
    assert scatter(matrix[:, order], window[order]) == pytest.approx(expected)  # left neurons with their windows
    assert scatter(matrix, 4 - window) == pytest.approx(expected)  # windows by other names
    assert scatter(np.tile(matrix, (3, 1)), window) == pytest.approx(expected)  # every right neuron three times
    assert scatter(2 * matrix, window) == pytest.approx(expected)  # twice the paths everywhere


def test_padding_does_not_count() -> None:
    matrix = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1]])
    padded = np.concatenate([np.ones((2, 3)), matrix], axis=1)
    assert scatter(padded, np.array([-1, -1, -1, 0, 0, 1, 1])) == scatter(matrix, np.array([0, 0, 1, 1])) == 1


def test_segments() -> None:
    assert segments(6, 3).tolist() == [0, 0, 1, 1, 2, 2]
    assert segments(5, 1).tolist() == [0] * 5
    assert segments(3, 3).tolist() == [0, 1, 2]
    for neurons in range(1, 12):
        for count in range(1, neurons + 1):
            sizes = np.bincount(segments(neurons, count), minlength=count)
            assert (sizes.sum(), len(sizes), np.ptp(sizes) <= 1) == (neurons, count, True)


def test_tiles() -> None:
    assert tiles(2, 4, 1, 2).tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert tiles(4, 2, 2, 1, neurons=10).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, -1, -1]
    assert tiles(2, 2, 2, 2).tolist() == [0, 1, 2, 3]
    assert np.bincount(tiles(28, 28, 7, 7)).tolist() == [16] * 49


def test_arguments_that_cannot_be() -> None:
    matrix = np.ones((2, 4))
    for action, message in [
        (lambda: segments(4, 5), "4 neurons have 1 to 4 windows, and not 5"),
        (lambda: segments(4, 0), "4 neurons have 1 to 4 windows, and not 0"),
        (lambda: tiles(4, 4, 5, 1), "4 neurons have 1 to 4 windows, and not 5"),
        (lambda: tiles(4, 4, 2, 2, neurons=15), "an image of 4 x 4 needs 16 neurons, and there are 15"),
        (lambda: scatter(matrix, np.zeros(3, int)), "windows must number each of the 4 neurons, and have shape (3,)"),
        (lambda: scatter(matrix, np.array([0, 0, 2, 2])),
         "windows must be numbered from 0 on, each with a neuron in it"),
        (lambda: scatter(matrix, np.full(4, -1)), "windows must be numbered from 0 on, each with a neuron in it"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError) as error:
            action()
        assert str(error.value) == message
