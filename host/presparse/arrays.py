"""Whatever holds numbers, as a numpy array: lists, arrays, tensors, frames, sparse matrices. None of their libraries is
imported: they are known by what they can do."""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import listed, shortened
from presparse.errors import FeatureError, PresparseError

_MOST_DENSE = 1 << 31
"""Bytes of a sparse matrix with all its zeros."""
_TEXT = "convert it, leave it out, or make columns of 0 and 1 of it, one for each of its values"


def numbers(
    values: object, name: str, refusal: type[PresparseError] = FeatureError, *, of: str = "real numbers", mend: str = ""
) -> NDArray[Any]:
    """Booleans, integers or real numbers as a numpy array: from lists, arrays, frames, sparse matrices, and tensors of
    any precision, of any device, with gradients or without. In frames, NaN stands for what is missing.

    Raises `refusal` for anything else: text, objects, complex numbers, times, rows of unequal lengths, masked entries;
    and for a sparse matrix that would take more than 2 GiB with its zeros.
    """
    array = _by_column(values, name, refusal) if _is_frame(values) else as_array(values, name, refusal, of)
    if array.dtype.kind not in "biuf":
        mend = mend or f"convert it with {name}.astype(float)"
        raise refusal(f"{name} must hold {of}, and has dtype {array.dtype}; {mend}")
    return array


def as_array(values: object, name: str, refusal: type[PresparseError], of: str) -> NDArray[Any]:
    """A numpy array of whatever numpy makes of the values. Raises `refusal` if it makes none, or leaves some out."""
    try:
        array = np.asarray(_dense(_without_torch(values), name, refusal))
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        if isinstance(error, PresparseError):
            raise
        if "inhomogeneous" in str(error):
            raise refusal(f"{name} must be one array; its rows have unequal lengths") from error
        reason = " ".join(str(error).split())
        raise refusal(f"{name} must be one array of {of} ({reason})") from error
    except MemoryError as error:
        raise refusal(f"{name} needs more memory than there is; give fewer samples") from error
    if np.ma.is_masked(values):
        raise refusal(f"{name} has masked entries; impute them with {name}.filled(), or leave their samples out")
    return array


def _without_torch(values: Any) -> Any:
    """A PyTorch tensor as numpy takes it, which knows fewer types; anything else as it is."""
    if not callable(getattr(values, "detach", None)):
        return values
    tensor = values.detach().cpu()
    return tensor.double() if tensor.is_floating_point() else tensor


def names_of(X: object) -> tuple[str, ...]:
    """What the columns of a frame are called; () for what has no names, or numbers instead.

    Raises FeatureError if two have the same.
    """
    if not _is_frame(X):
        return ()
    names = tuple(X.columns)  # pyright: ignore[reportAttributeAccessIssue]
    if not all(isinstance(name, str) for name in names):
        return ()
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FeatureError(f"two columns of X are called {shortened(twice)}; give each its own name")
    return names


def is_missing(value: object) -> bool:
    """One of an array of objects."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


def in_order(X: Any, names: tuple[str, ...]) -> Any:
    """The columns of a frame that are called so, in this order; what has no names, or needs none, as it is.

    Raises FeatureError if one is not there.
    """
    given = names_of(X)
    if not names or not given or given == names:
        return X
    missing = [name for name in names if name not in set(given)]
    if missing:
        raise FeatureError(
            f"X has no column {shortened(missing[0])}, which the model takes; it has {listed(given)}; give every "
            "column the name that it had in training, or an array without names, in the order of training"
        )
    return X[list(names)]


def _is_frame(values: object) -> bool:
    """As pandas and polars have them: columns by name, each of its own type."""
    return all(hasattr(values, key) for key in ("columns", "dtypes", "shape", "__getitem__"))


def _dense(values: Any, name: str, refusal: type[PresparseError]) -> Any:
    """A sparse matrix of SciPy or PyTorch with its zeros; anything else as it is. Raises `refusal` for a large one."""
    fill = getattr(values, "toarray", None)  # SciPy's
    if str(getattr(values, "layout", "torch.strided")) != "torch.strided":
        fill = values.to_dense
    if not callable(fill):
        return values
    shape = tuple(values.shape)
    size = math.prod(shape) * 8
    if size > _MOST_DENSE:
        raise refusal(
            f"{name} is a sparse matrix of shape {shape}: with its zeros it has {size:,} bytes, and may have "
            f"{_MOST_DENSE:,}; give fewer samples at a time, or fewer features"
        )
    return fill()


def _by_column(frame: Any, name: str, refusal: type[PresparseError]) -> NDArray[np.float64]:
    """Columns of different kinds, each of which holds numbers. Raises `refusal`, naming the column, if one does not."""
    found = np.empty(frame.shape, dtype=np.float64)
    for place, label in enumerate(frame.columns):
        column = np.asarray(frame[label])
        if column.dtype.kind == "O" and column.ndim == 1:
            column = np.array([_number(value, label, name, refusal) for value in column])
        if column.dtype.kind not in "biuf" or column.ndim != 1:
            what = f"has dtype {column.dtype}" if column.ndim == 1 else "is several columns"
            raise refusal(f"{name}: column {shortened(label)} must hold numbers, and {what}; {_TEXT}")
        found[:, place] = column
    return found


def _number(value: Any, label: object, name: str, refusal: type[PresparseError]) -> float:
    if is_missing(value):
        return math.nan
    if not isinstance(value, Real | Decimal | np.bool_):
        raise refusal(f"{name}: column {shortened(label)} must hold numbers, and one is {shortened(value)}; {_TEXT}")
    return float(value)
