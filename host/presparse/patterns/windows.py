"""Windows: patterns that follow an image, any of which the lanes take.

A network whose description has images gets them by default (`presparse.contract.pattern.arranged`); here they are made
one junction at a time, at places of one's own:

    first, second = network.junctions
    left = [windows(first, (28, 28), (8, 8), stride=4), generate(second, "seed per sweep", rng)]
    model = Model.initial(network, pattern=left, inputs=Inputs.fit(X, places=places(first, (28, 28), (8, 8))))
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.contract.images import Layout, Size, checked_layout, sized, written
from presparse.contract.network import Junction
from presparse.contract.pattern import arrange
from presparse.errors import PatternError


def windows(
    junction: Junction,
    shape: Sequence[int],
    window: Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    positions: ArrayLike | None = None,
    dilation: int | Sequence[int] = 1,
) -> NDArray[np.int64]:
    """A clash-free pattern (right, in_degree) in which every right neuron sees a window of the left neurons' image.

    `shape` and `window` are (rows, columns) or (rows, columns, channels); a window has all channels unless it says how
    many, and `in_degree` pixels. Pixels sit where `places` says. Windows begin at every multiple of `stride` (of rows
    and columns, and perhaps channels), or at `positions` (k, 2 or 3), their first pixels; by default there are as many
    as right neurons, spread evenly. Right neurons are in the order of windows, row by row, those of the same window
    beside each other. Dilated windows see every so many-th row and column. Those of neighboring right neurons at one
    place begin in other rows and columns, so that together they see all pixels; `stride` and `positions` are multiples
    of the dilation.

    Raises PatternError, with the nearest valid numbers, for windows that are not clash-free, do not lie in the image,
    or do not divide the right neurons.
    """
    layout, size = _layout(junction, shape, window, dilation)
    if stride is not None and positions is not None:
        raise PatternError(f"junction {junction.index}: windows have a stride or positions, and not both")
    if stride is not None:
        found = _strided(junction, layout, size, _whole(junction, "stride", stride))
    elif positions is not None:
        found = _placed(junction, layout, size, positions)
    else:
        found = layout.even_places(size, junction.right)
    if not len(found) or junction.right % len(found):
        raise PatternError(
            f"junction {junction.index}: {len(found)} windows cannot share {junction.right} right neurons equally; "
            f"use a divisor of {junction.right}"
        )
    return arrange(junction, layout.window_neurons(size, np.repeat(found, junction.right // len(found), axis=0)))


def places(
    junction: Junction, shape: Sequence[int], window: Sequence[int], *, dilation: int | Sequence[int] = 1
) -> NDArray[np.int64]:
    """(pixels,): the left neuron of every pixel, row by row, channels last, so that such windows are clash-free.

    For the first junction these are the places of features (`presparse.features.Inputs`). For windows on the
    neurons that windows made, they are where these belong: `ordered[places(second, ...)] = windows(first, ...)`.
    Raises PatternError as `windows` does.
    """
    return _layout(junction, shape, window, dilation)[0].all_neurons()


def _layout(
    junction: Junction, shape: Sequence[int], window: Sequence[int], dilation: int | Sequence[int]
) -> tuple[Layout, Size]:
    size = sized(_whole(junction, "shape", shape))
    window_size = sized(_whole(junction, "window", window), channels=size[2])
    steps = _whole(junction, "dilation", dilation)
    if len(steps) != 2:
        raise PatternError(f"junction {junction.index}: a dilation is of rows and columns, and is {dilation!r}")
    try:
        layout = checked_layout(
            size,
            window_size,
            left=junction.left,
            lanes=junction.lanes,
            in_degree=junction.in_degree,
            dilation=(steps[0], steps[1]),
        )
    except ValueError as error:
        raise PatternError(f"junction {junction.index}: {error}") from None
    return layout, window_size


def _whole(junction: Junction, name: str, given: int | Sequence[int]) -> tuple[int, ...]:
    """Two or three numbers, at least 1."""
    numbers = np.atleast_1d(np.asarray(given))
    if name in ("stride", "dilation") and numbers.size == 1:
        numbers = np.repeat(numbers, 2)
    if numbers.shape not in ((2,), (3,)) or not np.issubdtype(numbers.dtype, np.integer) or numbers.min() < 1:
        raise PatternError(
            f"junction {junction.index}: {name} must be rows and columns, or rows, columns and channels, whole numbers "
            f"from 1 on, and is {given!r}"
        )
    return tuple(int(number) for number in numbers)


def _in_phase(junction: Junction, layout: Layout, name: str, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(k, 3) numbers of pixels as numbers of a phase's."""
    dilation = np.array([*layout.dilation, 1])
    odd = pixels[(pixels % dilation).any(axis=1)]
    if len(odd):
        raise PatternError(
            f"junction {junction.index}: {name} must be multiples of the dilation, {written(layout.dilation)}, and "
            f"one is {written(tuple(map(int, odd[0][:2])))}"
        )
    return pixels // dilation


def _strided(junction: Junction, layout: Layout, window: Size, stride: tuple[int, ...]) -> NDArray[np.int64]:
    size = layout.phase_size
    first, second, third = _in_phase(junction, layout, "stride", np.array([sized(stride, channels=window[2])]))[0]
    steps = int(first), int(second), int(third)

    def counts(steps: Size) -> list[int]:
        return [(s - w) // step + 1 for s, w, step in zip(size, window, steps, strict=True)]

    if junction.right % math.prod(counts(steps)):
        longest = [max(1, s - w) for s, w in zip(size[:2], window[:2], strict=True)]
        others = [(a, b, steps[2]) for a in range(1, longest[0] + 1) for b in range(1, longest[1] + 1)]
        valid = [other for other in others if junction.right % math.prod(counts(other)) == 0]
        nearest = min(valid, key=lambda other: abs(other[0] - steps[0]) + abs(other[1] - steps[1]), default=None)
        in_pixels = None if nearest is None else (nearest[0] * layout.dilation[0], nearest[1] * layout.dilation[1])
        mend = "use positions" if in_pixels is None else f"the nearest valid stride is {written(in_pixels)}"
        raise PatternError(
            f"junction {junction.index}: a stride of {written(stride)} makes {written(tuple(counts(steps)))} windows, "
            f"which {junction.right} right neurons cannot share equally; {mend}"
        )
    every = [np.arange(count) * step for count, step in zip(counts(steps), steps, strict=True)]
    return np.stack(np.meshgrid(*every, indexing="ij"), axis=-1).reshape(-1, 3)


def _placed(junction: Junction, layout: Layout, window: Size, positions: ArrayLike) -> NDArray[np.int64]:
    corners = np.asarray(positions)
    if corners.ndim != 2 or corners.shape[1] not in (2, 3) or not np.issubdtype(corners.dtype, np.integer):
        raise PatternError(
            f"junction {junction.index}: positions are whole numbers of shape (windows, 2) or (windows, 3), rows, "
            f"columns and perhaps channels, and these {corners.dtype} of shape {corners.shape}"
        )
    corners = np.pad(corners.astype(np.int64), ((0, 0), (0, 3 - corners.shape[1])))
    last = (np.array(layout.phase_size) - window) * (*layout.dilation, 1)
    outside = corners[((corners < 0) | (corners > last)).any(axis=1)]
    if len(outside):
        raise PatternError(
            f"junction {junction.index}: windows of {written(window)} begin at 0 0 0 to {' '.join(map(str, last))} in "
            f"{written(layout.size)} pixels, and one at {' '.join(map(str, outside[0]))}"
        )
    return _in_phase(junction, layout, "positions", corners)
