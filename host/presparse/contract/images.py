"""Images on a layer: where every pixel sits, so that windows are clash-free wherever they lie.

The z lanes of a junction tell apart za x zb pixels of zc channels, z = za zb zc. The image of H rows and W columns is
cut into strips of za rows, and of zc channels, which lie one behind the other: the pixel in row r, column c and
channel m is at t = ((m // zc) ceil(H / za) + r // za) W + c, and left neuron bank + z place, with

    bank  = ((m mod zc) za + r mod za) zb + t mod zb,
    place = t // zb,

which is its row in that bank. Among a consecutive rows, za | a, every remainder by za comes a / za times; channels are
alike, and so are columns, as those of one row are consecutive in t. So a window of a x b pixels and d channels with
za | a, zb | b and zc | d has a b d / z pixels in every bank, wherever it lies.

A window that is dilated by (p, q) sees every p-th row and every q-th column, so pixels of one of the p q phases of the
image. For its a rows to have different remainders by za, these are turned after every common multiple of p and za, in
groups of gcd(p, za): with za = 4 and p = 2, rows 0, 2, 4, 6 have 0, 2, 1, 3. Columns are alike, along t.

Where there are k times as many lanes as a window has pixels, k right neurons are worked on at a time, each on lanes of
its own. So k must divide p q, and phases in k sets, kp by kq of them with kq = gcd(k, q), lie in banks of their own;
the rest of the dilation, p / kp by q / kq, is as above in each set. Right neuron i has a phase of set i mod k; neurons
of the same set have its phases in turn.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from presparse.contract.description import Description

Size = tuple[int, int, int]
"""Rows, columns and channels."""
Dilation = tuple[int, int]
"""Rows and columns from a pixel of a window to the next."""

_Count = Annotated[int, Field(ge=1, le=65536)]
_GOLDEN = (math.sqrt(5) - 1) / 2


class Image(Description):
    """The left neurons of a junction are the pixels of an image, of which every right neuron sees a window.

    Sizes are (rows, columns) or (rows, columns, channels); a window has all channels unless it says how many. Dilated,
    it sees every so many-th row and column.
    """

    junction: int = Field(ge=1, description="1, 2, ...: whose left neurons the pixels are")
    shape: tuple[_Count, ...] = Field(min_length=2, max_length=3, description="of the image")
    window: tuple[_Count, ...] = Field(min_length=2, max_length=3, description="of what a right neuron sees")
    dilation: tuple[_Count, _Count] = Field(
        default=(1, 1), description="rows and columns from a pixel of a window to the next"
    )
    margin: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = Field(
        default=(0, 0), description="rows at the top and at the bottom, columns on either side, that no window sees"
    )

    @model_validator(mode="after")
    def _something_left(self) -> Image:
        if min(self.seen) < 1:
            raise ValueError(f"a margin of {written(self.margin)} leaves nothing of {written(self.shape)} pixels")
        return self

    @property
    def size(self) -> Size:
        """Of the image."""
        return sized(self.shape)

    @property
    def seen(self) -> Size:
        """Of what windows see: the image without its margin."""
        rows, columns, channels = self.size
        return rows - 2 * self.margin[0], columns - 2 * self.margin[1], channels

    @property
    def window_size(self) -> Size:
        return sized(self.window, channels=self.size[2])


def sized(numbers: tuple[int, ...], *, channels: int = 1) -> Size:
    """(rows, columns, channels) of two numbers or three."""
    rows, columns, *rest = numbers
    return rows, columns, rest[0] if rest else channels


def written(numbers: tuple[int, ...]) -> str:
    """As messages have them: 28 x 28; one channel is not worth a word."""
    return " x ".join(map(str, numbers[:2] if numbers[2:] == (1,) else numbers))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which left neuron a pixel is."""

    size: Size
    """Of the image."""
    banks: Size
    """(za, zb, zc): the pixels of a phase that lanes tell apart."""
    dilation: Dilation = (1, 1)
    """Of windows."""
    apart: int = 1
    """Phases that lanes tell apart: right neurons that are worked on at a time, if these are several."""

    @property
    def lanes(self) -> int:
        return math.prod(self.banks) * self.apart

    @property
    def phases(self) -> int:
        return math.prod(self.dilation)

    @property
    def phase_size(self) -> Size:
        """Of the smallest phase: where windows of all phases have room."""
        return self.size[0] // self.dilation[0], self.size[1] // self.dilation[1], self.size[2]

    @property
    def bank_rows(self) -> int:
        """Rows that the image takes in a bank."""
        strips, length = self._strips
        return -(-(-(-self.size[2] // self.banks[2]) * strips * length) // self.banks[1])

    @property
    def _sets(self) -> Dilation:
        """(kp, kq): sets of phases that lie in banks of their own."""
        columns = math.gcd(self.apart, self.dilation[1])
        return self.apart // columns, columns

    @property
    def _strips(self) -> tuple[int, int]:
        """Strips of the same channels, and how long one is, in the largest set of phases."""
        kp, kq = self._sets
        return -(-self.size[0] // (kp * self.banks[0])), -(-self.size[1] // kq)

    def neurons(self, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """(..., 3) rows, columns and channels to (...) left neurons."""
        row, column, channel = np.moveaxis(pixels, -1, 0)
        (za, zb, zc), (kp, kq), (p, q) = self.banks, self._sets, self.dilation
        own = row % kp * kq + column % kq
        row, column = row // kp, column // kq
        strips, length = self._strips
        along = (channel // zc * strips + row // za) * length + column
        tile = _by_tiles(_turned(row, za, step=p // kp), _turned(along, zb, step=q // kq), za, zb)
        bank = (own * zc + channel % zc) * za * zb + tile
        return bank + self.lanes * (along // zb)

    def all_neurons(self) -> NDArray[np.int64]:
        """(pixels,): of every pixel, row by row, channels last."""
        return self.neurons(_indices(self.size))

    def even_places(self, window: Size, count: int) -> NDArray[np.int64]:
        """(count, 3): places for so many right neurons, spread evenly; neighbors share one and see all its phases."""
        places = spread(-(-count // self.phases), self.phase_size, window)
        return np.repeat(places, self.phases, axis=0)[:count]

    def window_neurons(self, window: Size, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """(right, pixels of a window): what right neurons see whose windows have these places (right, 3): their first
        pixels, counted in their phase, which neurons have in turn."""
        (kp, kq), q = self._sets, self.dilation[1]
        within, own = np.divmod(np.arange(len(places)) % self.phases, self.apart)
        phase = [own // kq + kp * (within // (q // kq)), own % kq + kq * (within % (q // kq)), np.zeros_like(own)]
        first = places * (*self.dilation, 1) + np.stack(phase, axis=1)
        return self.neurons(first[:, None, :] + _indices(window) * (*self.dilation, 1))


def layout(size: Size, window: Size, *, left: int, lanes: int, dilation: Dilation = (1, 1)) -> Layout | None:
    """Where pixels sit in `left` neurons so that such windows are clash-free for `lanes`; None: nowhere.

    Of several layouts the one with the fewest rows, then the squarest.
    """
    apart = _at_a_time(window, lanes)
    if lanes % apart or math.prod(dilation) % apart:
        return None
    found = [
        candidate
        for banks in _sizes(lanes // apart)
        if not any(w % z for w, z in zip(window, banks, strict=True))
        and (candidate := Layout(size=size, banks=banks, dilation=dilation, apart=apart)).bank_rows * lanes <= left
    ]
    return min(found, key=lambda each: (each.bank_rows, abs(each.banks[0] - each.banks[1]), each.banks), default=None)


def checked_layout(
    size: Size, window: Size, *, left: int, lanes: int, in_degree: int, dilation: Dilation = (1, 1)
) -> Layout:
    """The layout. Raises ValueError with the nearest valid numbers where there is none."""

    def valid(window: Size, lanes: int, dilation: Dilation = dilation) -> bool:
        return clash_free(size, window, left=left, lanes=lanes, dilation=dilation)

    inside = _inside(size, window, dilation)
    suits = inside and math.prod(window) == in_degree
    if suits and (found := layout(size, window, left=left, lanes=lanes, dilation=dilation)) is not None:
        return found
    if math.prod(size) > left:
        raise ValueError(f"{written(size)} pixels need as many left neurons, {math.prod(size)}, and there are {left}")
    dilated = "" if dilation == (1, 1) else f", dilated by {written(dilation)},"
    if not inside:
        reason = f"a window of {written(window)}{dilated} is larger than the {written(size)} pixels that windows see"
    elif math.prod(window) != in_degree:
        reason = (
            f"a window of {written(window)} has {math.prod(window)} pixels, and every right neuron {in_degree} edges"
        )
    else:
        reason = f"windows of {written(window)}{dilated} in {left} left neurons are not clash-free for {lanes} lanes"
    others = [other for other in dilations(window, lanes) if valid(window, lanes, other)]
    if math.prod(window) == in_degree and others:
        undilated = f", or {in_degree} lanes" if lanes > in_degree and valid(window, in_degree) else ""
        raise ValueError(f"{reason}; use a dilation of {written(others[0])}{undilated}")
    nearest = [other for other in nearest_sizes(in_degree, window) if valid(other, lanes)]
    if nearest:
        raise ValueError(f"{reason}; the nearest valid window is {written(nearest[0])}")
    fewer = [z for z in _divisors(left) if z < lanes and valid(window, z)]
    if suits and fewer:
        larger = layout(size, window, left=sys.maxsize, lanes=lanes, dilation=dilation)
        more = "" if larger is None else f", or {larger.bank_rows * lanes} left neurons"
        raise ValueError(f"{reason}; use {fewer[-1]} lanes{more}")
    raise ValueError(
        f"{reason}; no window of {in_degree} pixels would be valid: use another out_degree, or fewer lanes"
    )


def clash_free(size: Size, window: Size, *, left: int, lanes: int, dilation: Dilation = (1, 1)) -> bool:
    """Whether windows like this one lie in the image, and no two lanes want the same bank."""
    inside = _inside(size, window, dilation)
    return inside and layout(size, window, left=left, lanes=lanes, dilation=dilation) is not None


def dilations(window: Size, lanes: int) -> list[Dilation]:
    """With which windows can be clash-free for these lanes: the least that suffice, the squarest first, wide before
    tall."""
    apart = _at_a_time(window, lanes)
    return sorted(((p, apart // p) for p in _divisors(apart)), key=lambda each: (abs(each[0] - each[1]), each))


def nearest_sizes(product: int, wanted: Size) -> list[Size]:
    """All sizes with so many pixels, from the one that differs least from the wanted one."""
    return sorted(_sizes(product), key=lambda size: (sum(abs(a - b) for a, b in zip(size, wanted, strict=True)), size))


def spread(count: int, size: Size, window: Size) -> NDArray[np.int64]:
    """(count, 3): first pixels of windows, spread evenly over all places that windows have in an image.

    In rows of equally many, but for one, and as far from each other as the rows are. Where windows have fewer channels
    than the image, these begin along the golden ratio's multiples, which are even for any count.
    """
    tall, wide, deep = np.array(size) - window + 1
    rows = min(count, max(1, round(math.sqrt(count * tall / wide))))
    number = np.arange(count)
    row = number * rows // count
    first, in_row = np.searchsorted(row, row), np.bincount(row)[row]
    places = np.stack(
        [
            (2 * row + 1) * tall // (2 * rows),
            (2 * (number - first) + 1) * wide // (2 * in_row),
            ((number + 0.5) * _GOLDEN % 1 * deep).astype(np.int64),
        ],
        axis=1,
    )
    return places.astype(np.int64)


def grid(size: Size, window: Size, right: Size) -> NDArray[np.int64]:
    """(pixels of `right`, 3): first pixels of the windows that the pixels of an image of size `right` see, in order.

    From the first place to the last in equal steps, rounded; in the middle where there is one only.
    """
    last, steps = np.array(size) - window, np.array(right) - 1
    places = np.where(steps == 0, 0.5, _indices(right) / np.maximum(steps, 1))
    return np.rint(places * last).astype(np.int64)


def _at_a_time(window: Size, lanes: int) -> int:
    """Right neurons that are worked on together."""
    return max(1, lanes // math.prod(window))


def _inside(size: Size, window: Size, dilation: Dilation) -> bool:
    return all(w <= s // step for w, s, step in zip(window, size, (*dilation, 1), strict=True))


def _turned(number: NDArray[np.int64], banks: int, *, step: int) -> NDArray[np.int64]:
    """Remainders by `banks`, which any `banks` numbers that are `step` apart have each once."""
    group, rest = math.gcd(banks, step), number % banks
    return rest - rest % group + (rest + number // math.lcm(banks, step)) % group


def _by_tiles(row: NDArray[np.int64], column: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    """The number of a pixel among rows x columns: tiles of 2 x 2 one after another where these are even, so that dark
    pixels are beside each other and fill whole blocks of sample words."""
    tall, wide = 2 - rows % 2, 2 - columns % 2
    tile = row // tall * (columns // wide) + column // wide
    return (tile * tall + row % tall) * wide + column % wide


def _indices(size: Size) -> NDArray[np.int64]:
    """(pixels, 3): every row, column and channel, channels fastest."""
    return np.indices(size).reshape(3, -1).T


@cache
def _sizes(product: int) -> tuple[Size, ...]:
    """All sizes with so many pixels."""
    divisors = _divisors(product)
    return tuple((a, b, product // a // b) for a in divisors for b in divisors if product // a % b == 0)


def _divisors(number: int) -> list[int]:
    """Ascending."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})
