"""Windows at places of one's own: what they see, in which order, and what is refused. Layouts: tests/contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.contract.network import Junction
from presparse.contract.pattern import check
from presparse.errors import PatternError
from presparse.patterns import places, windows

JUNCTION = Junction(index=1, left=64, right=32, out_degree=2, lanes=4, activation="relu", is_output=False)
"""Windows of 4 pixels."""


def seen(left: NDArray[np.int64], shape: tuple[int, ...], window: tuple[int, ...]) -> list[list[int]]:
    """The first pixel of every right neuron, whose edges must be all of its window."""
    check(JUNCTION, left)
    pixel = np.full(JUNCTION.left, -1)
    pixel[places(JUNCTION, shape, window)] = np.arange(np.prod(shape))
    axes = np.array(np.unravel_index(pixel[left], shape))  # (2 or 3, right, in_degree)
    assert (np.ptp(axes, axis=2) == np.array(window)[:, None] - 1).all()
    return axes.min(axis=2).T.tolist()


def test_a_stride_goes_row_by_row() -> None:
    found = seen(windows(JUNCTION, (8, 8), (2, 2), stride=2), (8, 8), (2, 2))
    assert found == [[row, column] for row in (0, 2, 4, 6) for column in (0, 2, 4, 6) for _ in range(2)]
    found = seen(windows(JUNCTION, (8, 8), (2, 2), stride=(4, 2)), (8, 8), (2, 2))
    assert found[::4] == [[row, column] for row in (0, 4) for column in (0, 2, 4, 6)]


def test_channels_are_all_seen_or_as_many_as_are_said() -> None:
    whole = seen(windows(JUNCTION, (4, 8, 2), (1, 2), stride=(1, 2)), (4, 8, 2), (1, 2, 2))
    assert whole[:4] == [[0, 0, 0], [0, 0, 0], [0, 2, 0], [0, 2, 0]]
    half = seen(windows(JUNCTION, (4, 8, 2), (2, 2, 1), stride=2), (4, 8, 2), (2, 2, 1))
    assert half[:8:2] == [[0, 0, 0], [0, 0, 1], [0, 2, 0], [0, 2, 1]]


def test_positions_as_given() -> None:
    positions = [[6, 6], [0, 0], [3, 2], [3, 2]]
    found = seen(windows(JUNCTION, (8, 8), (2, 2), positions=positions), (8, 8), (2, 2))
    assert found == [place for place in positions for _ in range(8)]


def test_spread_over_the_image_by_default() -> None:
    found = seen(windows(JUNCTION, (7, 8), (2, 2)), (7, 8), (2, 2))
    assert len({tuple(place) for place in found}) >= 24
    assert np.ptp(found, axis=0).tolist() == [5, 6]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"positions": [[2, 4], [4, 0]]}, [[[2, 4], [2, 5]], [[4, 0], [4, 1]]]),
        ({"stride": (6, 4)}, [[[0, 0], [0, 1]], [[0, 4], [0, 5]], [[6, 0], [6, 1]], [[6, 4], [6, 5]]]),
        ({}, [[[0, 0], [0, 1]]]),
    ],
)
def test_dilated_windows_of_neighbors_begin_beside_each_other(
    chosen: dict[str, Any], expected: list[list[list[int]]]
) -> None:
    """8 lanes: two right neurons at a time, one in even columns and one in odd ones."""
    junction = replace(JUNCTION, lanes=8)
    left = windows(junction, (8, 8), (2, 2), dilation=(1, 2), **chosen)
    check(junction, left)
    pixel = np.full(junction.left, -1)
    pixel[places(junction, (8, 8), (2, 2), dilation=(1, 2))] = np.arange(64)
    rows, columns = np.unravel_index(pixel[left], (8, 8))
    assert (np.ptp(rows, axis=1) == 1).all()
    assert (np.ptp(columns, axis=1) == 2).all()
    assert not ((columns - columns.min(axis=1, keepdims=True)) % 2).any()
    first = np.stack([rows.min(axis=1), columns.min(axis=1)], axis=1)
    share = 32 // len(expected) if chosen else 2
    for number, pair in enumerate(expected):
        own = first[number * share : (number + 1) * share]
        assert own.tolist() == pair * (share // 2)
    assert first.max(axis=0).tolist() >= [4, 5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (8, 9)}, "8 x 9 pixels need as many left neurons, 72, and there are 64"),
        ({"shape": 64}, "shape must be rows and columns, or rows, columns and channels, whole numbers from 1 on, and "
         "is 64"),
        ({"shape": (8.0, 8.0)}, "shape must be rows and columns, or rows, columns and channels, whole numbers from 1 "
         "on, and is (8.0, 8.0)"),
        ({"window": (3, 3)}, "a window of 3 x 3 has 9 pixels, and every right neuron 4 edges; the nearest valid "
         "window is 2 x 2"),
        ({"stride": 3}, "a stride of 3 x 3 makes 3 x 3 windows, which 32 right neurons cannot share equally; the "
         "nearest valid stride is 2 x 2"),
        ({"stride": 0}, "stride must be rows and columns, or rows, columns and channels, whole numbers from 1 on, "
         "and is 0"),
        ({"dilation": 8}, "a window of 2 x 2, dilated by 8 x 8, is larger than the 8 x 8 pixels that windows see; use "
         "a dilation of 1 x 1"),
        ({"dilation": (1, 2), "stride": 3}, "stride must be multiples of the dilation, 1 x 2, and one is 3 x 3"),
        ({"dilation": (1, 2), "positions": [[1, 1]]}, "positions must be multiples of the dilation, 1 x 2, and one is "
         "1 x 1"),
        ({"dilation": (1, 2, 3)}, "a dilation is of rows and columns, and is (1, 2, 3)"),
        ({"stride": 2, "positions": [[0, 0]]}, "windows have a stride or positions, and not both"),
        ({"positions": [[0, 0], [7, 4]]}, "windows of 2 x 2 begin at 0 0 0 to 6 6 0 in 8 x 8 pixels, and one at 7 4 0"),
        ({"positions": [[0, 0]] * 3}, "3 windows cannot share 32 right neurons equally; use a divisor of 32"),
        ({"positions": np.zeros((0, 2), dtype=int)}, "0 windows cannot share 32 right neurons equally; use a divisor "
         "of 32"),
        ({"positions": [0, 1]}, "positions are whole numbers of shape (windows, 2) or (windows, 3), rows, columns and "
         "perhaps channels, and these int64 of shape (2,)"),
    ],
)  # fmt: skip
def test_windows_that_cannot_be(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(PatternError) as error:
        windows(JUNCTION, **{"shape": (8, 8), "window": (2, 2), **arguments})
    assert str(error.value) == f"junction 1: {message}"
