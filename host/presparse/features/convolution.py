"""Fixed convolution: from the pixels of an image to features that networks of few edges learn well.

Kernels are learned from patches of the images, without labels (`presparse.features.kernels`), and are not trained any
further. From the pixels on all is integers, so that a board could compute the same: docs/arithmetic.md, "Convolution".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from presparse.arrays import numbers
from presparse.contract.description import shortened
from presparse.contract.images import written
from presparse.errors import ArgumentError, FeatureError, ModelError
from presparse.features.kernels import learned_kernels
from presparse.validation import checked_count, checked_features, checked_seed, real_numbers, whole_numbers

KERNELS, SIZE, POOL = 16, 5, 4
"""Unless told otherwise."""

TOP = 255
"""Largest pixel and feature; the least is 0. With 8 bits, whatever scaling follows is a table of 256 numbers."""
LARGEST_WEIGHT = 127
"""Of a kernel: 8 bits with sign."""
_MOST_PIXELS = 1 << 20
"""Of all channels: no sum can exceed 2^53, up to which floating point is exact."""
_MOST_KERNELS, _LARGEST_SIZE, _MOST_BITS = 1024, 15, 31
_EXACT_IN_FLOAT32 = 1 << 24
"""A float32 holds every whole number up to this."""
_AT_ONCE = 1 << 21
"""Numbers of patches that are multiplied with the kernels together: some MB, which caches hold."""

_IMAGES, _PATCHES = 5000, 50_000
"""Most that kernels are learned from."""
_JUDGED = 1000
"""Most images that shifts are chosen by."""
_MOST_CHOSEN = 256
"""Kernels that `geometry_for` proposes."""
_FLAT = 10.0
"""Levels: patches that deviate less from their mean show nothing."""
_OUTLIERS = 0.002
"""Share of pixels on either side that may lie beyond the range of levels."""
_SATURATED = 0.001
"""Share of features that may lie beyond 8 bits."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Convolution:
    """Kernels over an image, ReLU, sums over windows (average pooling, but for the division).

        convolution = Convolution.fit(X, (28, 28))

    X (k, width) holds one image per row: its rows one after the other, the channels of a pixel beside each other.
    Arrays are read-only copies. Raises ModelError for numbers that do not suit one another.
    """

    image: tuple[int, int, int]
    """Rows, columns and channels."""
    kernels: NDArray[np.int64]
    """(kernels, size, size, channels), -127 to 127; the size is odd."""
    shifts: NDArray[np.int64]
    """(kernels,): bits that are rounded off the sum over a window."""
    pool: int
    """Rows and columns of a window; the last ones may stick out of the image."""
    low: float
    """What becomes pixel 0."""
    high: float
    """What becomes pixel 255."""

    def __post_init__(self) -> None:
        given = np.shape(self.kernels)
        if len(given) != 4:
            raise ModelError(f"kernels must have shape (kernels, size, size, channels), and have {given}")
        count, size = given[:2]
        try:
            image = checked_image(self.image)
            _check_geometry(image, count, size, self.pool)
        except ArgumentError as error:
            raise ModelError(str(error)) from error
        object.__setattr__(self, "image", image)
        for key, wanted, least, most in (
            ("kernels", (count, size, size, image[2]), -LARGEST_WEIGHT, LARGEST_WEIGHT),
            ("shifts", (count,), 0, _MOST_BITS),
        ):
            array = whole_numbers(getattr(self, key), key, wanted, ModelError)
            outside = array[(array < least) | (array > most)]
            if outside.size:
                raise ModelError(f"{key} are integers {least} to {most}, and one is {outside[0]}")
            object.__setattr__(self, key, array)
        for key in ("low", "high"):
            object.__setattr__(self, key, float(real_numbers(getattr(self, key), key, (), ModelError)))
        if not self.low < self.high:
            raise ModelError(f"low must be below high, and they are {self.low:g} and {self.high:g}")

    @classmethod
    def fit(
        cls,
        X: ArrayLike,
        image: Sequence[int],
        *,
        kernels: int = KERNELS,
        size: int = SIZE,
        pool: int = POOL,
        random_state: int = 0,
    ) -> Convolution:
        """Learn kernels, shifts and the range of pixels from images X (k, pixels); no labels are needed.

        The same arguments give the same kernels, and so do X times a positive number plus any other. Raises
        ArgumentError for arguments that are not what they must be, FeatureError for X that are no such images, or show
        too little; MissingExtra without scipy.

        Parameters
        ----------
        image : (rows, columns), or (rows, columns, channels)
        kernels : features at every place
        size : rows and columns of a kernel, odd
        pool : rows and columns of the windows that a kernel's features are summed over
        """
        shape = checked_image(image)
        _check_geometry(shape, kernels, size, pool)
        rng = np.random.default_rng(checked_seed(random_state))
        given = numbers(X, "X").shape
        if given[1:] != (math.prod(shape),):
            raise FeatureError(
                f"X must hold an image of {written(shape)} pixels per row, shape (samples, {math.prod(shape)}), and "
                f"has {given}; {_mend(given[1:], shape)}"
            )
        values = checked_features(X, math.prod(shape))
        some = values[np.sort(rng.permutation(len(values))[:_IMAGES])].astype(np.float64)
        low, high = _range(some)
        patches = _patches(_pixels(some, shape, low, high), size, rng)
        different = len(np.unique(patches, axis=0))
        if different < kernels:
            raise FeatureError(
                f"X must show at least {kernels} different patches of {size} x {size} pixels, one per kernel, and has "
                f"{different}; give other images, or fewer kernels"
            )
        found = learned_kernels(patches, kernels, rng)
        whole = cls(
            image=shape,
            kernels=_whole(found).reshape(kernels, size, size, shape[2]),
            shifts=np.zeros(kernels, dtype=np.int64),
            pool=pool,
            low=low,
            high=high,
        )
        sums = np.concatenate([part for _, part in whole._sums(some[:_JUDGED])])
        largest = np.quantile(sums, 1 - _SATURATED, axis=(0, 1, 2))
        return replace(whole, shifts=np.ceil(np.log2(np.maximum(largest / TOP, 1))).astype(np.int64))

    @property
    def width(self) -> int:
        """Columns of X: the pixels of all channels."""
        return math.prod(self.image)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and kernels of the features, which are an image again, with a channel for every kernel."""
        return (*_windows(self.image, self.pool), len(self.kernels))

    @property
    def features(self) -> int:
        """Numbers that an image becomes."""
        return math.prod(self.shape)

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Images (k, width) to features (k, features), whole numbers 0 to 255. Raises FeatureError for another X."""
        return self.transform_checked(checked_features(X, self.width))

    def transform_checked(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same, of what `checked_features` returned."""
        features = np.empty((len(values), *self.shape))
        for part, sums in self._sums(values):
            features[part] = np.minimum((sums + (1 << self.shifts >> 1)) >> self.shifts, TOP)
        return features.reshape(len(values), -1)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """All there is, by name."""
        return {
            "kernels": self.kernels.astype(np.int8),
            "shifts": self.shifts.astype(np.int8),
            "image": np.array(self.image, dtype=np.int32),
            "pool": np.array(self.pool, dtype=np.int32),
            "range": np.array([self.low, self.high]),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Convolution:
        """What `tensors` gave. Raises ModelError."""
        missing = [key for key in ("kernels", "shifts", "image", "pool", "range") if key not in tensors]
        if missing:
            raise ModelError(f"{missing[0]!r} of the convolution is missing; save the model again")
        low, high = real_numbers(tensors["range"], "range", (2,), ModelError)
        return cls(
            image=tuple(tensors["image"].tolist()),
            kernels=tensors["kernels"],
            shifts=tensors["shifts"],
            pool=int(whole_numbers(tensors["pool"], "pool", (), ModelError)),
            low=low,
            high=high,
        )

    def equals(self, other: Convolution | None) -> bool:
        """The same features for every image."""
        if other is None:
            return False
        own, others = self.tensors(), other.tensors()
        return all(np.array_equal(own[key], others[key]) for key in own)

    def __repr__(self) -> str:
        count, size, *_ = self.kernels.shape
        return f"Convolution({count} kernels of {size} x {size}, {written(self.image)} -> {written(self.shape)})"

    def _sums(self, values: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """Some images at a time: which of `values`, and their exact sums (m, rows, columns, kernels) over windows."""
        count, size, *_ = self.kernels.shape
        weights = self.kernels.reshape(count, -1).T  # (size * size * channels, kernels)
        worst = int(np.abs(weights).sum(axis=0).max()) * TOP
        kind = np.float32 if worst <= _EXACT_IN_FLOAT32 else np.float64
        weights = weights.astype(kind)
        rows, columns, _ = self.image
        down, across, _ = self.shape
        outside = ((0, 0), (0, down * self.pool - rows), (0, across * self.pool - columns), (0, 0))
        step = max(1, _AT_ONCE // (rows * columns * len(weights)))
        for first in range(0, len(values), step):
            part = slice(first, min(first + step, len(values)))
            patches = _around(_pixels(values[part], self.image, self.low, self.high).astype(kind), size)
            found = patches.reshape(-1, len(weights)) @ weights
            active = found.clip(min=0).reshape(-1, rows, columns, count)
            active = np.pad(active, outside).reshape(-1, down, self.pool, across, self.pool, count)
            yield part, active.sum(axis=(2, 4), dtype=np.float64).astype(np.int64)


def checked_image(image: object) -> tuple[int, int, int]:
    """Rows, columns and channels, of these or of rows and columns. Raises ArgumentError."""
    given = tuple(image) if isinstance(image, Sequence) and not isinstance(image, str) else ()
    if len(given) not in (2, 3) or any(
        isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1 for n in given
    ):
        raise ArgumentError(
            "image must be (rows, columns) or (rows, columns, channels), such as (28, 28) or (32, 32, 3), and is "
            f"{shortened(image)}"
        )
    rows, columns, channels = (int(n) for n in (*given, 1)[:3])
    if channels * rows * columns > _MOST_PIXELS:
        raise ArgumentError(
            f"image must have at most {_MOST_PIXELS:,} pixels, and is {written((rows, columns, channels))}"
        )
    return rows, columns, channels


def width_for(features: int, convolution: Convolution | None) -> int:
    """Columns of X that become so many features: as many, or a convolution's pixels. Raises ArgumentError for what is
    none, or has other features."""
    if convolution is None:
        return features
    if not isinstance(convolution, Convolution):
        raise ArgumentError(
            f"convolution must be a Convolution, and is {shortened(convolution)}; give Convolution.fit(X, image)"
        )
    if convolution.features != features:
        raise ArgumentError(
            f"the network takes {features} features, and {convolution} gives {convolution.features}; "
            "use another network, or other kernels or another pool"
        )
    return convolution.width


def geometry_for(features: int, image: Sequence[int]) -> tuple[int, int]:
    """(kernels, pool) with which an image becomes so many features: of all there are, with about 16 kernels.

    Raises ArgumentError, with the nearest number there is.
    """
    shape = checked_image(image)
    possible: dict[int, list[tuple[int, int]]] = {}
    for pool in range(1, max(2, max(shape[:2])) // 2 + 1):  # one place alone would not say where things are
        places = math.prod(_windows(shape, pool))
        for kernels in range(1, _MOST_CHOSEN + 1):
            possible.setdefault(kernels * places, []).append((kernels, pool))
    if features not in possible:
        nearest = min(possible, key=lambda n: (abs(n - features), n))
        raise ArgumentError(
            f"an image of {written(shape)} pixels does not become {features} features; use a network of {nearest}"
        )
    return min(possible[features], key=lambda found: (abs(math.log2(found[0] / KERNELS)), found))


def _check_geometry(image: tuple[int, int, int], kernels: int, size: int, pool: int) -> None:
    checked_count("kernels", kernels, _MOST_KERNELS)
    checked_count("pool", pool, max(image[:2]))
    if checked_count("size", size, _LARGEST_SIZE) % 2 == 0:
        raise ArgumentError(
            f"size must be odd, so that a kernel has a middle, and is {size}; use {size - 1} or {size + 1}"
        )


def _mend(given: tuple[int, ...], image: tuple[int, int, int]) -> str:
    """What to do about samples of another shape."""
    pixels = math.prod(given)
    if pixels == math.prod(image):
        return "give X.reshape(len(X), -1)"
    for channels in (1, 3):
        side = math.isqrt(pixels // channels)
        if len(given) == 1 and side * side * channels == pixels:
            return f"images of {written((side, side, channels))} would have as many"
    return "give the shape that its images have"


def _windows(image: tuple[int, int, int], pool: int) -> tuple[int, int]:
    """Rows and columns of pooling windows."""
    return -(-image[0] // pool), -(-image[1] // pool)


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """The lowest and the highest level, outliers left out unless there is nothing else."""
    low, high = np.quantile(values, (_OUTLIERS, 1 - _OUTLIERS))
    if low == high:
        low, high = values.min(), values.max()
    if low == high:
        raise FeatureError(f"X must show something, and all its pixels are {low:g}; give other images")
    return float(low), float(high)


def _pixels(values: NDArray[np.float64], image: tuple[int, int, int], low: float, high: float) -> NDArray[np.float64]:
    """Images (k, width) to whole numbers 0 to 255 (k, rows, columns, channels)."""
    real = np.asarray(values, dtype=np.float64)  # of a memory-mapped array, perhaps
    return np.floor((real - low) * (TOP / (high - low)) + 0.5).clip(0, TOP).reshape(-1, *image)


def _around(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """The patch around every place (k, rows, columns, size, size, channels), a view; the border goes on outside."""
    border = size // 2
    padded = np.pad(pixels, ((0, 0), (border, border), (border, border), (0, 0)), mode="edge")
    return sliding_window_view(padded, (size, size), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)


def _patches(pixels: NDArray[np.float64], size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Patches (k, size * size * channels) from anywhere that show something."""
    around = _around(pixels, size)
    drawn = rng.integers(np.array(around.shape[:3])[:, None], size=(3, _PATCHES))
    patches = around[tuple(drawn)].reshape(_PATCHES, -1)
    return patches[patches.std(axis=1) > _FLAT]


def _whole(kernels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Kernels (k, weights), each with a sum of 0, as integers that have it too; the largest is -127 or 127."""
    scaled = kernels * (LARGEST_WEIGHT / np.abs(kernels).max(axis=1, keepdims=True))
    whole = np.rint(scaled).astype(np.int64)
    for kernel, wanted in zip(whole, scaled, strict=True):
        excess = kernel.sum()
        furthest = np.argsort((wanted - kernel) * np.sign(excess), kind="stable")
        kernel[furthest[: abs(excess)]] -= np.sign(excess)
    return whole
