"""Scatter: whether every neuron sees something of every region of the other layer.

After S. Dey, K.-W. Huang, P. A. Beerel and K. M. Chugg, "Characterizing Sparse Connectivity Patterns in Neural
Networks", ITA 2018, who use it to tell good patterns from bad ones before training. From the paper and its authors'
own program: the layer is cut into windows; the window adjacency matrix counts the edges between each neuron and each
window; each count is divided by what an even distribution of the edges would give, and cut at 1; scatter is the mean.
It is computed in both directions of each junction and of the whole network, whose matrix counts paths from inputs to
outputs; the least of these numbers speaks for the network.

Ours: the even count is taken from the matrix's mean, so that patterns with unequal degrees have a scatter too; and
without windows given, there are as many as a neuron has edges, so that an even distribution has one edge in each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.errors import ArgumentError


def scatter(matrix: NDArray[np.float64], window: NDArray[np.int64] | None = None) -> float:
    """How evenly the rows of an adjacency or path matrix M (right, left) fall on windows of its columns; 0 to 1.

    `window` (left,) numbers the window of every left neuron, -1 for one that does not count, such as padding; by
    default there are `segments(left, mean edges of a row)`. With n_w columns in window w and m the mean of M over all
    columns that count,

        S = mean over rows r and windows w of min(1, sum_(c in w) M[r, c] / (m n_w)).

    1 where every row has its even share of every window, and so if fully connected; 0 for a matrix without edges.
    The other direction, left neurons against windows of right neurons, is that of the transpose. Raises ArgumentError
    for windows of another length, or with none or a gap in their numbers.
    """
    rows, columns = matrix.shape
    if window is None:
        edges = np.count_nonzero(matrix) / rows
        window = segments(columns, min(columns, max(1, round(edges))))
    if window.shape != (columns,):
        raise ArgumentError(f"windows must number each of the {columns} neurons, and have shape {window.shape}")
    counted = window >= 0
    sizes = np.bincount(window[counted])
    if not sizes.all() or not sizes.size:
        raise ArgumentError("windows must be numbered from 0 on, each with a neuron in it")
    mean = matrix[:, counted].mean()
    if mean == 0:
        return 0.0
    member = np.zeros((columns, len(sizes)))
    member[np.flatnonzero(counted), window[counted]] = 1
    return float(np.minimum(matrix @ member / (mean * sizes), 1).mean())


def segments(neurons: int, count: int) -> NDArray[np.int64]:
    """(neurons,): the window of each neuron, `count` windows of neighbors, whose sizes differ by at most 1.

    Raises ArgumentError unless there are 1 to `neurons` windows.
    """
    if not 1 <= count <= neurons:
        raise ArgumentError(f"{neurons} neurons have 1 to {neurons} windows, and not {count}")
    return np.arange(neurons) * count // neurons


def tiles(height: int, width: int, down: int, across: int, *, neurons: int | None = None) -> NDArray[np.int64]:
    """(neurons,): the window of each pixel of an image, row by row, cut into `down` x `across` rectangles.

    Neurons after the image's last pixel are padding (-1). Raises ArgumentError if an image of that size cannot be cut
    so, or has more pixels than there are neurons.
    """
    pixels = height * width
    total = pixels if neurons is None else neurons
    if total < pixels:
        raise ArgumentError(f"an image of {height} x {width} needs {pixels} neurons, and there are {total}")
    image = segments(height, down)[:, None] * across + segments(width, across)
    return np.concatenate([image.reshape(-1), np.full(total - pixels, -1)])
