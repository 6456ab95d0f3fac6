"""Layers of windows on images, drawn so that they are valid: sizes first, then lanes that the layout allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from presparse.contract.images import Dilation, Image, Size, layout
from presparse.contract.network import MAX_ROWS, lanes_fit
from presparse.model_search.proposals.chance import pick

_SIDES = (1, 2, 3, 4, 5, 6, 8, 10, 12)
"""Rows and columns of windows: what lanes can share."""
_LEFTS = 6
"""Numbers of left neurons that are looked at, the smallest ones: the one that allows most lanes is taken."""
_MARGIN = 2
_LEAST_SIDE = 16
"""Images of so many rows and columns may have a margin that no window sees."""
_MOST_PADDING = 2.0
_DILATIONS: tuple[Dilation, ...] = ((1, 1), (1, 2), (2, 2))
"""Windows that are dilated see more of the image, and more right neurons are worked on at a time."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """A junction whose right neurons see windows."""

    image: Image
    left: int
    right: int
    lanes: tuple[int, ...]
    """That it can have by itself, ascending."""

    @property
    def edges(self) -> int:
        return self.right * math.prod(self.image.window_size)


def on_features(rng: np.random.Generator, size: Size, sizes: Sequence[int]) -> Windows | None:
    """Junction 1: windows of all channels on an image of the features; None if what was drawn cannot be."""
    margin = _MARGIN if min(size[:2]) >= _LEAST_SIDE and rng.random() < 0.5 else 0
    dilation = pick(rng, _DILATIONS)
    rows, columns = ((side - 2 * margin) // step for side, step in zip(size[:2], dilation, strict=True))
    if min(rows, columns) < 1:
        return None
    window = _side(rng, rows), _side(rng, columns), size[2]
    right, features = pick(rng, sizes), math.prod(size)
    edges = right * math.prod(window)
    lefts = [left for left in range(features, int(_MOST_PADDING * features) + 1) if edges % left == 0]
    if not lefts or edges // lefts[0] > right:
        return None
    image = Image(junction=1, shape=_shape(size), window=_shape(window), dilation=dilation, margin=(margin, margin))
    found = [_checked(image, left, right) for left in lefts[:_LEFTS]]
    return max((each for each in found if each), key=lambda each: each.lanes[-1], default=None)


def on_windows(rng: np.random.Generator, sizes: Sequence[int], left: int) -> Windows | None:
    """Junction 2: windows on the `left` neurons of a first layer of windows, which stand in rows and columns, several
    at each place; None if what was drawn cannot be."""
    places = [(side, side, left // side**2) for side in range(2, 33) if left % side**2 == 0 and left // side**2 >= 2]
    if not places:
        return None
    size = pick(rng, places)
    deep = pick(rng, [channels for channels in (size[2], size[2] // 2) if channels and size[2] % channels == 0])
    side = _side(rng, size[0])
    window = side, side, deep
    pixels = math.prod(window)
    rights = [right for right in sizes if right * pixels % left == 0 and right * pixels // left <= right]
    if not rights:
        return None
    image = Image(junction=2, shape=_shape(size), window=_shape(window))
    return _checked(image, left, pick(rng, rights))


def _checked(image: Image, left: int, right: int) -> Windows | None:
    window, dilation = image.window_size, image.dilation
    pixels = math.prod(window)
    lanes = tuple(
        z
        for z in range(-(-left // MAX_ROWS), pixels * math.prod(dilation) + 1)
        if lanes_fit(left, pixels, z) and layout(image.seen, window, left=left, lanes=z, dilation=dilation) is not None
    )
    return Windows(image=image, left=left, right=right, lanes=lanes) if lanes and right * pixels >= left else None


def _side(rng: np.random.Generator, most: int) -> int:
    """Rows or columns of a window; one only if there is no more."""
    return pick(rng, [side for side in _SIDES if 1 < side <= most] or [1])


def _shape(size: Size) -> tuple[int, ...]:
    return size[:2] if size[2] == 1 else size
