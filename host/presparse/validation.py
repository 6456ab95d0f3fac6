"""Checks of what users pass: samples, labels, numbers. Each is made once, where a call begins."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.arrays import as_array, in_order, is_missing, numbers
from presparse.contract.description import listed, shortened
from presparse.errors import ArgumentError, FeatureError, ModelError, PresparseError

if TYPE_CHECKING:
    from presparse.contract.build import Mode

Number = TypeVar("Number", int, float)

LARGEST_SEED = (1 << 32) - 1
"""As scikit-learn has it."""
MOST_EPOCHS = 1_000_000
MOST_PER_STEP = (1 << 31) - 1
"""Samples."""
_LARGEST_WHOLE = float(1 << 53)
"""Of real numbers that are labels."""
_AT_ONCE = 4096
"""Samples that are looked at together."""
_FLOAT64 = 8
"""Bytes."""
_LABELS_SHOWN = 8
"""In a message."""

Labels = NDArray[Any]
"""(k,) whole numbers, booleans or texts, as a user has them."""


def real_numbers(
    values: object, name: str, shape: tuple[int, ...], refusal: type[PresparseError]
) -> NDArray[np.float64]:
    """Finite numbers of a shape, as a copy that nothing can write to; a single one stands for all."""
    array = _shaped(numbers(values, name, refusal), name, (shape, ()), refusal)
    with np.errstate(over="ignore", invalid="ignore"):  # what float64 cannot hold is found below
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise refusal(f"{name} must be finite, and has {array[~np.isfinite(array)][0]}")
    return _read_only(np.broadcast_to(array, shape).copy())


def whole_numbers(
    values: object, name: str, shape: tuple[int, ...], refusal: type[PresparseError]
) -> NDArray[np.int64]:
    """Integers of a shape, as a copy that nothing can write to."""
    array = _shaped(numbers(values, name, refusal), name, (shape,), refusal)
    if array.dtype.kind not in "iu":
        raise refusal(f"{name} must be integers, and have dtype {array.dtype}")
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise refusal(f"{name} must be integers of 64 bits with sign, and one is {array.max()}")
    return _read_only(array.astype(np.int64))


def _shaped(
    array: NDArray[Any], name: str, allowed: tuple[tuple[int, ...], ...], refusal: type[PresparseError]
) -> NDArray[Any]:
    """The array. Before anything else looks at its numbers: one that repeats a few may claim to have terabytes."""
    if array.shape not in allowed:
        raise refusal(f"{name} must have shape {allowed[0]}, and has {array.shape}")
    return array


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def checked_features(X: object, features: int, names: tuple[str, ...] = ()) -> NDArray[np.float64]:
    """X as (k, features) real numbers, k >= 1, contiguous and writable; a memory-mapped array as it is.

    With `names`, the columns of a frame are put in their order. Raises FeatureError for anything else.
    """
    values = numbers(in_order(X, names), "X")
    if values.ndim != 2 or values.shape[1] != features:
        mend = "; for one sample, pass X[None, :]" if values.shape == (features,) else ""
        raise FeatureError(f"X must have shape (samples, {features}), and has {values.shape}{mend}")
    if len(values) == 0:
        raise FeatureError(f"X must hold at least one sample, and has shape {values.shape}")
    if not isinstance(X, np.memmap) or values.dtype.itemsize > _FLOAT64:
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # what float64 cannot hold is found below
                values = np.require(values, np.float64, ["C", "W"])
        except MemoryError as error:
            raise FeatureError(
                f"X, of shape {values.shape}, needs more memory than there is; give fewer samples"
            ) from error
    parts = ((first, values[first : first + _AT_ONCE]) for first in range(0, len(values), _AT_ONCE))
    bad = np.concatenate([np.argwhere(~np.isfinite(part)) + np.array([first, 0]) for first, part in parts])
    if len(bad):
        sample, feature = bad[0]
        raise FeatureError(
            f"X must be finite, and sample {sample}, feature {feature} is {values[sample, feature]} "
            f"({len(bad)} such in all); remove or impute it"
        )
    return values


def labels_of(y: object, name: str = "y", refusal: type[PresparseError] = FeatureError) -> Labels:
    """y as (k,) labels: whole numbers, booleans or texts. Raises `refusal` for anything else."""
    array = as_array(y, name, refusal, "labels")
    if array.dtype.kind in "OT":
        array = _of_one_kind(array.astype(object), name, refusal)
    if array.dtype.kind not in "biufU":
        raise refusal(
            f"{name} must hold labels, whole numbers or texts, and has dtype {array.dtype}; convert it with "
            f"{name}.astype(str)"
        )
    if array.ndim != 1:
        mend = f"; give numpy.ravel({name})" if array.ndim == 2 and array.shape[1] == 1 else ""
        raise refusal(f"{name} must have one label per sample, shape (samples,), and has {array.shape}{mend}")
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # the floor of a NaN, if it is one of 16 bytes
            wrong = array[~(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < _LARGEST_WHOLE))]
        if wrong.size:
            raise refusal(
                f"{name} must hold labels, whole numbers or texts, and one is {wrong[0]}; give classes, not measured "
                "values"
            )
        array = array.astype(np.int64)
    return array


def _of_one_kind(array: NDArray[Any], name: str, refusal: type[PresparseError]) -> NDArray[Any]:
    """Objects as texts or whole numbers if all are; else as they are. Raises `refusal` if one is missing."""
    missing = np.flatnonzero([is_missing(label) for label in array.flat])
    if missing.size:
        raise refusal(
            f"{name} must hold a label for every sample, and that of sample {missing[0]} is missing; leave "
            "the sample out"
        )
    if all(isinstance(label, str) for label in array.flat):
        return array.astype(str)
    if all(isinstance(label, bool | np.bool_) for label in array.flat):
        return array.astype(bool)
    if all(isinstance(label, Integral) and abs(int(label)) < _LARGEST_WHOLE for label in array.flat):
        return array.astype(np.int64)
    return array


def classes_of(y: object, classes: int) -> Labels:
    """The (classes,) labels of a training that begins with y (k,), output by output.

    Whole numbers from 0 to classes - 1 are themselves; any others in their order, exactly as many as the network has
    outputs. Raises FeatureError.
    """
    labels = labels_of(y)
    if not labels.size or (labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < classes):
        return np.arange(classes)
    found = np.unique(labels)
    if len(found) != classes:
        raise FeatureError(
            f"y holds {len(found)} different labels ({listed(found, _LABELS_SHOWN)}), and the network has {classes} "
            f"classes; give a network of {len(found)} (`presparse new --data` makes one)"
        )
    return found


def checked_classes(classes_: ArrayLike, classes: int) -> Labels:
    """(classes,) labels that differ, as a copy that nothing can write to; none given: 0 .. classes - 1.

    Raises ModelError.
    """
    if not np.size(classes_):
        return _read_only(np.arange(classes))
    labels = labels_of(classes_, "classes_", ModelError)
    if len(labels) != classes or len(np.unique(labels)) != classes:
        raise ModelError(f"classes_ must be {classes} labels that differ, and are {listed(labels, _LABELS_SHOWN)}")
    return _read_only(labels.copy())


def checked_labels(y: object, count: int, classes_: Labels) -> NDArray[np.int64]:
    """y as (count,) numbers of its labels in `classes_` (classes,). Raises FeatureError for anything else."""
    numbered = np.array_equal(classes_, np.arange(len(classes_)))
    wanted = f"class numbers 0 to {len(classes_) - 1}" if numbered else f"the labels {listed(classes_, _LABELS_SHOWN)}"
    labels = labels_of(y)
    if labels.shape != (count,):
        raise FeatureError(f"y must have one label per sample, shape ({count},), and has {labels.shape}")
    kinds = ["whole" if array.dtype.kind in "iu" else array.dtype.kind for array in (labels, classes_)]
    if kinds[0] != kinds[1]:
        raise FeatureError(f"y must hold {wanted}, and has dtype {labels.dtype}; give the labels that were trained")
    order = np.argsort(classes_)
    places = order[np.searchsorted(classes_, labels, sorter=order).clip(max=len(classes_) - 1)]
    wrong = labels[classes_[places] != labels]
    if wrong.size:
        from_one = numbered and labels.min() == 1 and labels.max() == len(classes_)
        mend = "; classes are numbered from 0, so give y - 1" if from_one else ""
        raise FeatureError(f"y must hold {wanted}, and one label is {wrong[0]}{mend}")
    return places.astype(np.int64)


def checked_samples(
    X: ArrayLike, y: ArrayLike, features: int, classes_: Labels, names: tuple[str, ...] = ()
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(X, y) as (k, features) real numbers and (k,) numbers of the labels in `classes_`. Raises FeatureError."""
    values = checked_features(X, features, names)
    return values, checked_labels(y, len(values), classes_)


def checked_number(name: str, value: object, least: Number, most: Number, mend: str = "") -> Number:
    """A number from `least` to `most`: a whole one if these are whole, else a float. Raises ArgumentError, naming the
    argument."""
    whole = isinstance(least, int)
    kind = int | np.integer if whole else int | float | np.integer | np.floating
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
        raise ArgumentError(
            f"{name} must be a {'whole ' if whole else ''}number, {least:,} to {most:,}, and is "
            f"{shortened(value)}{mend and f'; {mend}'}"
        )
    return type(least)(value)


def checked_callback(name: str, value: object) -> None:
    """Something to call, or None. Raises ArgumentError, naming the argument."""
    if value is not None and not callable(value):
        raise ArgumentError(f"{name} must be a function or None, and is {shortened(value)}")


def checked_flag(name: str, value: object) -> bool:
    """True or False. Raises ArgumentError, naming the argument."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(f"{name} must be True or False, and is {shortened(value)}")
    return bool(value)


def checked_count(name: str, value: object, most: int | None = None) -> int:
    """A whole number of at least 1, and at most `most`. Raises ArgumentError, naming the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{name} must be a whole number, at least 1, and is {shortened(value)}")
    if most is not None and value > most:
        raise ArgumentError(f"{name} must be at most {most:,}, and is {shortened(int(value))}")
    return int(value)


def checked_mode(value: object) -> Mode:
    """What hardware is for: "train" or "infer". Raises ArgumentError."""
    if value not in ("train", "infer"):
        raise ArgumentError(f"mode must be 'train' or 'infer', and is {shortened(value)}")
    return "train" if value == "train" else "infer"


def checked_epochs(value: object) -> int:
    """A number of epochs. Raises ArgumentError."""
    return checked_count("epochs", value, MOST_EPOCHS)


def checked_seed(value: object, name: str = "random_state") -> int:
    """A whole number that fits 32 bits. Raises ArgumentError, naming the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value <= LARGEST_SEED:
        raise ArgumentError(f"{name} must be a whole number, 0 to {LARGEST_SEED}, and is {shortened(value)}")
    return int(value)


def checked_lr(value: object) -> float:
    """A learning rate: a positive number. Raises ArgumentError."""
    try:
        rate = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except OverflowError:  # an integer of hundreds of digits
        rate = math.inf
    if not 0 < rate < math.inf:
        raise ArgumentError(
            f"lr, the learning rate, must be a positive number, such as 0.01, and is {shortened(value)}"
        )
    return rate


def checked_schedule(epochs: object, batch_size: object, lr: object) -> tuple[int, int, float]:
    """Epochs, samples per step and learning rate of a training in PyTorch. Raises ArgumentError."""
    return checked_epochs(epochs), checked_count("batch_size", batch_size, MOST_PER_STEP), checked_lr(lr)
