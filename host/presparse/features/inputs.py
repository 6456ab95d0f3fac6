"""Inputs: how a sample in its user's units becomes the numbers of an input layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.contract.description import shortened
from presparse.errors import ModelError
from presparse.features.convolution import Convolution
from presparse.features.familiar import seen_in
from presparse.features.palettes import ROWS, few_values, fitted_palettes, nearest
from presparse.features.scaling import Scaling, scaling
from presparse.validation import checked_count, real_numbers, whole_numbers

_WIDEST = (1 << 31) - 1
"""Columns of X that a file can tell apart."""
_ARRAYS = ("offset", "gain", "knots", "levels", "palettes", "columns", "places", "medians", "seen")
_OF_CONVOLUTION = "convolution."
"""Before the names of its arrays."""
_SCALED_BY = 10_000
"""Most images whose features, behind a convolution, choose how they are scaled: evenly taken from all."""
_MOST_VALUES = 1 << 16
"""In a palette."""
_SHOWN = 5
"""Differences listed per array; the rest are counted."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """Feature i of the network is column `columns[i]` of X, scaled, in input neuron `places[i]`.

    Scaled: (map(x) - offset) * gain (`presparse.features.scaling.Scaled`), and then the nearest of its palette, if it
    has one. Input neurons without a feature are padding: always 0. Arrays are read-only copies. Raises ModelError for
    arrays that do not suit one another.
    """

    offset: NDArray[np.float64]
    """(features,)"""
    gain: NDArray[np.float64]
    """(features,)"""
    knots: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    """(features, K): where a feature's map has its corners; rows of NaN: it has no map. None given: no feature has."""
    levels: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    """(features, K): what the map is there."""
    palettes: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    """(features, K): the values that a scaled feature can have, ascending, padded with NaN; none given: any."""
    columns: NDArray[np.int64] = field(default_factory=lambda: np.arange(0))
    """(features,): of X; none given: 0, 1, 2 ..., all in order."""
    places: NDArray[np.int64] = field(default_factory=lambda: np.arange(0))
    """(features,): input neurons; none given: 0, 1, 2 ..., padding comes last."""
    width: int = 0
    """Columns of X, of which a pruned network takes some; 0 becomes the number of features."""
    names: tuple[str, ...] = ()
    """(width,): of X's columns; none given: they have no names."""
    medians: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """(width,): what stands for numbers that are missing in a file; none given: they are refused."""
    seen: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, 0)))
    """(3, width): how X's columns were in training (`presparse.features.familiar.seen_in`); none given: unknown."""
    convolution: Convolution | None = None
    """What X's images go through first: columns are those of its features, and the width is its own."""

    def __post_init__(self) -> None:
        features = np.size(self.offset)
        for key in ("offset", "gain"):
            object.__setattr__(self, key, real_numbers(getattr(self, key), key, (features,), ModelError))
        shape = np.shape(self.knots) if np.size(self.knots) else (features, 0)
        for key in ("knots", "levels"):
            object.__setattr__(self, key, _corners(getattr(self, key), key, features, shape))
        object.__setattr__(self, "palettes", _palettes(self.palettes, features))
        for key in ("columns", "places"):
            given = getattr(self, key)
            numbers = whole_numbers(given if np.size(given) else np.arange(features), key, (features,), ModelError)
            object.__setattr__(self, key, numbers)
        width = int(whole_numbers(self.width, "width", (), ModelError))
        if not 0 <= width <= _WIDEST:
            raise ModelError(f"width must be 0 to {_WIDEST}, and is {width}")
        own = features if self.convolution is None else self.convolution.width
        width = width or own
        object.__setattr__(self, "width", width)
        if self.convolution is not None and width != own:
            raise ModelError(f"width must be that of the convolution's images, {own}, and is {width}")
        last, of = (width, "X's") if self.convolution is None else (self.convolution.features, "the convolution's")
        outside = self.columns[(self.columns < 0) | (self.columns >= last)]
        if outside.size:
            raise ModelError(f"columns are 0 to {last - 1}, one of {of} {last} each, and one is {outside[0]}")
        if len(np.unique(self.columns)) < features:
            raise ModelError("columns must differ, and two input neurons take the same")
        if len(np.unique(self.places)) < features or self.places.min() < 0:
            raise ModelError("places must be input neurons, one for each feature, and two features take the same")
        for key, shape in (("medians", (width,)), ("seen", (3, width))):
            if np.size(getattr(self, key)):
                object.__setattr__(self, key, real_numbers(getattr(self, key), key, shape, ModelError))
        if self.names and len(self.names) != width:
            raise ModelError(f"names must be those of all {width} columns, and there are {len(self.names)}")

    @classmethod
    def plain(cls, features: int, *, offset: ArrayLike = 0.0, gain: ArrayLike = 1.0) -> Inputs:
        """All columns of X in order, with an offset and a gain: each one number, or (features,)."""
        return cls(
            offset=real_numbers(offset, "offset", (features,), ModelError),
            gain=real_numbers(gain, "gain", (features,), ModelError),
        )

    @classmethod
    def fit(
        cls,
        X: NDArray[np.float64],
        scale: Scaling = "auto",
        *,
        places: ArrayLike | None = None,
        names: Sequence[str] = (),
        convolution: Convolution | None = None,
        palettes: int | None = None,
        shared_palettes: bool = False,
    ) -> Inputs:
        """All columns of X (k, features), or all features of its images (k, pixels) behind a convolution, scaled as
        `presparse.features.scaling` chooses, and rounded to so many values for each, or for all together, unless they
        have no more. Raises DataError, and ArgumentError for what is no number of values.
        """
        if palettes is not None:
            checked_count("palettes", palettes, _MOST_VALUES)
        seen = seen_in(X)
        if convolution is not None:
            X = convolution.transform_checked(X[:: -(-len(X) // _SCALED_BY)])
        found = scaling(X, scale)
        inputs = cls(
            offset=found.offset,
            gain=found.gain,
            knots=found.knots,
            levels=found.levels,
            places=np.arange(X.shape[1]) if places is None else np.asarray(places),
            names=tuple(names),
            seen=seen,
            convolution=convolution,
        )
        if palettes is None:
            return inputs
        return replace(inputs, palettes=inputs._fitted(X, palettes, shared=shared_palettes))

    @property
    def features(self) -> int:
        """Input neurons that are no padding."""
        return len(self.offset)

    @cached_property
    def alike(self) -> bool:
        """Whether feature i is column i of X, and all are scaled and rounded in the same way."""
        own = (self.offset, self.gain, self.knots, self.levels, self.palettes)
        same = all(np.array_equal(array, np.broadcast_to(array[:1], array.shape), equal_nan=True) for array in own)
        in_order = self.convolution is None and np.array_equal(self.columns, np.arange(self.width))
        return same and in_order

    def real(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Checked samples (k, width) to scaled features (k, features)."""
        if self.convolution is not None:
            values = self.convolution.transform_checked(values)
        scaled = self._scaled(values[:, self.columns])
        return nearest(scaled, self.palettes) if self.palettes.size else scaled

    def _scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(k, features) of them."""
        chosen = np.array(values, dtype=np.float64)
        for feature in np.flatnonzero(np.isfinite(self.knots).all(axis=1)) if self.knots.size else ():
            chosen[:, feature] = np.interp(chosen[:, feature], self.knots[feature], self.levels[feature])
        with np.errstate(over="ignore"):  # what is beyond float64 saturates, too
            return (chosen - self.offset) * self.gain

    def _fitted(self, X: NDArray[np.float64], count: int, *, shared: bool) -> NDArray[np.float64]:
        """(features, count): palettes for features X (k, features) that are not scaled yet."""
        palettes = fitted_palettes(self._scaled(X[:: -(-len(X) // ROWS)]), count, shared=shared)
        if not shared:
            few = few_values(X, count)
            there = ~np.isnan(few)
            scaled = self._scaled(np.where(there, few, 0.0))
            for feature in np.flatnonzero(there.any(axis=0)):
                own = np.unique(scaled[there[:, feature], feature])
                palettes[feature] = np.append(own, np.full(count - len(own), np.nan))
        return palettes

    def placed(self, places: NDArray[np.int64]) -> Inputs:
        """The same in these input neurons (features,). Raises ModelError if they have others than the first ones."""
        if not np.array_equal(self.places, np.arange(self.features)) and not np.array_equal(self.places, places):
            raise ModelError(
                "windows see features where Network.places has them, and these have other places; give none"
            )
        return replace(self, places=places)

    def padding(self, neurons: int) -> NDArray[np.int64]:
        """Which neurons of an input layer have no feature; ascending."""
        return np.setdiff1d(np.arange(neurons), self.places)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """All arrays, and the width, by name; 32 bits hold every column and neuron."""
        whole = {key: getattr(self, key).astype(np.int32) for key in ("columns", "places")}
        kernels = {} if self.convolution is None else self.convolution.tensors()
        return {
            **{key: getattr(self, key) for key in _ARRAYS},
            **whole,
            "width": np.array(self.width, dtype=np.int32),
            **{f"{_OF_CONVOLUTION}{key}": array for key, array in kernels.items()},
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], names: Sequence[str] = ()) -> Inputs:
        """What `tensors` gave; older files have fewer. Raises ModelError."""
        given: dict[str, Any] = {key: tensors[key] for key in (*_ARRAYS, "width") if key in tensors}
        missing = [key for key in ("offset", "gain") if key not in given]
        if missing:
            raise ModelError(f"{missing[0]!r} is missing; save the model again")
        kernels = {
            key.removeprefix(_OF_CONVOLUTION): array
            for key, array in tensors.items()
            if key.startswith(_OF_CONVOLUTION)
        }
        convolution = Convolution.from_tensors(kernels) if kernels else None
        return cls(**given, names=tuple(names), convolution=convolution)

    def equals(self, other: Inputs) -> bool:
        """The same numbers for every X, whatever its columns are called."""
        return not replace(self, names=other.names).differences(other)

    def differences(self, other: Inputs) -> list[str]:
        """What is not equal, in words; [] if nothing."""
        if self.features != other.features:
            return [f"{self.features} features, other {other.features}"]
        found: list[str] = []
        for key in ("offset", "gain", "columns", "places"):
            found += differences(f"feature {{}}: {key.removesuffix('s')}", getattr(self, key), getattr(other, key))
        if not np.array_equal(self.palettes, other.palettes, equal_nan=True):
            found.append("features are rounded to other values")
        maps = zip((self.knots, self.levels), (other.knots, other.levels), strict=True)
        if not all(np.array_equal(own, others, equal_nan=True) for own, others in maps):
            found.append("features have other maps before they are scaled")
        own, others = self.convolution, other.convolution
        if others is not None if own is None else not own.equals(others):
            found.append(f"images go through {own}, other {others}, with other numbers")
        if self.width != other.width:
            found.append(f"features are columns of {self.width}, other of {other.width}")
        if self.names != other.names:
            found.append(f"columns are called {shortened(self.names)}, other {shortened(other.names)}")
        return found


def _corners(values: ArrayLike, name: str, features: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(features, K) real numbers, NaN in whole rows."""
    if not np.size(values):
        values = np.zeros(shape)
    array = np.array(values, dtype=np.float64)
    if array.ndim != 2 or len(array) != features or array.shape != shape:
        raise ModelError(f"{name} must have shape (features, corners), ({features}, ...), and has {array.shape}")
    kept = array[~np.isnan(array).all(axis=1)]
    if not np.isfinite(kept).all() or (kept[:, 1:] < kept[:, :-1]).any():
        raise ModelError(f"{name} must ascend in every row, or be NaN in all of it")
    array.setflags(write=False)
    return array


def _palettes(values: ArrayLike, features: int) -> NDArray[np.float64]:
    """(features, K) real numbers, at least one in every row, NaN behind the last."""
    array = np.array(values, dtype=np.float64) if np.size(values) else np.zeros((features, 0))
    if array.ndim != 2 or len(array) != features:
        raise ModelError(f"palettes must have shape (features, values), ({features}, ...), and have {array.shape}")
    there = np.isfinite(array)
    behind = there[:, 1:] & ~(there[:, :-1] & (array[:, 1:] > array[:, :-1]))
    if not there[:, :1].all() or behind.any() or np.isinf(array).any():
        raise ModelError("palettes must ascend in every row, with NaN behind the last value only")
    array.setflags(write=False)
    return array


def differences(name: str, own: NDArray[Any], other: NDArray[Any]) -> list[str]:
    """Where arrays of one shape are not equal, in words, the first few of many; `name` has one {} for each index."""
    places = np.argwhere(own != other)
    found = [f"{name.format(*p)} {own[tuple(p)]}, other {other[tuple(p)]}" for p in places[:_SHOWN]]
    if len(places) > _SHOWN:
        found.append(f"... {len(places)} of {own.size} such numbers differ")
    return found
