"""Adjacency matrices, paths, reach, degrees and overlap, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.errors import PatternError
from presparse.patterns import Degrees, adjacency, degrees, overlaps, paths, reach

FIRST = np.array([[0, 1], [1, 2], [0, 2]])
"""Three right neurons over four left ones, of which the last has no edge."""
SECOND = np.array([[1, 0], [0, 1]])
"""Two outputs, which both see the first two of those."""
THIRD = np.array([[1]])


def test_adjacency() -> None:
    assert adjacency(FIRST, 4).tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0]]


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ([0, 1], "a pattern has shape (right, in_degree), and this one (2,)"),
        ([[], []], "a pattern has shape (right, in_degree), and this one (2, 0)"),
        ([[0, 1], [1, 4]], "left neurons are 0 to 3, and an edge has 4"),
        ([[0, -1], [1, 2]], "left neurons are 0 to 3, and an edge has -1"),
        ([[0, 1], [2, 2]], "right neuron 1 is connected twice to a left neuron"),
    ],
)
def test_what_is_no_pattern(left: list, message: str) -> None:
    with pytest.raises(PatternError) as error:
        adjacency(np.array(left, dtype=np.int64), 4)
    assert str(error.value) == message


def test_paths_and_reach() -> None:
    matrices = [adjacency(FIRST, 4), adjacency(SECOND, 3), adjacency(THIRD, 2)]
    assert paths(matrices[:2]).tolist() == [[1, 2, 1, 0], [1, 2, 1, 0]]
    assert paths(matrices).tolist() == [[1, 2, 1, 0]]
    assert reach(matrices).tolist() == [3]
    assert reach(matrices[:1]).tolist() == [2, 2, 2]


def test_fully_connected_paths_are_products_of_layers() -> None:
    full = [adjacency(np.tile(np.arange(left), (right, 1)), left) for left, right in ((5, 7), (7, 3), (3, 2))]
    assert paths(full).tolist() == [[21.0] * 5] * 2


def test_degrees() -> None:
    matrix = adjacency(FIRST, 4)
    assert degrees(matrix) == Degrees(least=0, most=2, mean=1.5, deviation=np.sqrt(0.75), unconnected=1)
    assert degrees(matrix.T) == Degrees(least=2, most=2, mean=2.0, deviation=0.0, unconnected=0)


def test_overlaps() -> None:
    """Pairs (0, 1), (0, 2) and (1, 2) share 1 left neuron each; two equal neurons share all."""
    assert overlaps(adjacency(FIRST, 4)).tolist() == [0, 3, 0]
    assert overlaps(adjacency(np.array([[0, 1], [3, 2], [1, 0]]), 4)).tolist() == [2, 0, 1]
    assert overlaps(adjacency(np.array([[0, 1]]), 4)).tolist() == [0, 0, 0]


def test_overlaps_of_left_neurons() -> None:
    """Left neurons 0 and 1, 0 and 2, 1 and 2 share a right neuron; 3 has none to share."""
    assert overlaps(adjacency(FIRST, 4).T).tolist() == [3, 3, 0]
