"""A user's own data in files: arrays in npz files; csv files are read by `presparse.data.table`."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.data.labeled import Data, from_one_hot, labeled
from presparse.data.missing import Missing, fill
from presparse.data.splits import Splits
from presparse.data.table import Table, read_table
from presparse.errors import DataError
from presparse.support import input_files

SPLIT_ARRAYS = ("xtr", "ytr", "xva", "yva", "xte", "yte")
"""Features and labels of the training, validation and test parts in an `.npz` file."""

_MEND = "write it with np.savez(path, X=X, y=y)"

_MOST_NUMBERS = 1 << 30
"""In an array; as float64 they take 8 GiB."""

_NO_NPZ = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error),  # an archive that zipfile cannot unpack
    *(EOFError, SyntaxError, tokenize.TokenError),  # an entry whose header is none,
    *(ValueError, TypeError, OverflowError),  # or tells of no array
)
"""What `np.load` raises for files that hold no arrays."""


def load_file_table(
    source: str | Path,
    *,
    target: str | int | None,
    missing: Missing,
    features: int | None,
    names: Sequence[str],
    classes: Iterable[object],
) -> Table:
    """The samples of an `.npz` or `.csv` file, as `presparse.data.load_table` says. Raises DataError."""
    path = Path(source)
    with _readable(path):
        if kind_of(path) == "table":
            return read_table(path, target=target, missing=missing, features=features, names=names, classes=classes)
        if target is not None:
            raise DataError(f"{source}: its classes are the array y, and target is for csv files; leave it out")
        X, y = _read_samples(path)
        if y is None and features is None:
            raise DataError(f"{source}: has no array named y; {_MEND}")
    if y is not None:
        X, y = labeled(X, y, str(source))
    try:
        return Table(X=X, y=y, medians=fill(X, missing) if X.ndim == 2 else np.zeros(0))
    except DataError as error:
        raise DataError(f"{source}: {error}") from error


def load_file_splits(source: str | Path) -> Splits | None:
    """The parts of an `.npz` file that holds xtr, ytr, xva, yva, xte and yte; None for a file with none of them.

    Labels are classes (k,), or one-hot (k, classes). Raises DataError.
    """
    path = Path(source)
    if kind_of(path) != "arrays":
        return None
    with _readable(path):
        found, _ = _read_npz(path, SPLIT_ARRAYS)
    if not found:
        return None
    missing = [name for name in SPLIT_ARRAYS if name not in found]
    if missing:
        raise DataError(f"{source}: a split data set holds {', '.join(SPLIT_ARRAYS)}, and {missing[0]} is not there")
    parts: list[Data] = []
    for part in ("tr", "va", "te"):
        X, y = found[f"x{part}"], found[f"y{part}"]
        where = f"{source}: x{part}, y{part}"
        parts.append(labeled(X, from_one_hot(y, where), where))
        if not X.size:
            raise DataError(f"{where}: must hold samples, and x{part} has shape {X.shape}")
        if X.shape[1] != parts[0][0].shape[1]:
            raise DataError(f"{where}: has {X.shape[1]} features, and xtr has {parts[0][0].shape[1]}")
    return Splits(train=parts[0], validation=parts[1], test=parts[2])


def kind_of(source: str | Path) -> Literal["arrays", "table"] | None:
    """What a file of this name holds; None for other names. Windows likes to write them in capitals."""
    suffix = Path(source).suffix.lower()
    return "arrays" if suffix == ".npz" else "table" if suffix in (".csv", ".tsv") else None


def check_source(source: object) -> None:
    """Raise DataError for what is neither a name nor a path."""
    if not isinstance(source, str | os.PathLike):
        raise DataError(f"{shortened(source)} is no data set; give its name or the path of its file")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); give the path of a data file") from error
    except MemoryError as error:
        raise DataError(f"{path}: needs more memory than there is; give fewer samples") from error


def _read_samples(path: Path) -> tuple[NDArray[np.float64], NDArray[Any] | None]:
    """X and y; None for a y that is not there."""
    found, names = _read_npz(path, ("X", "y"))
    if "X" not in found and names.issuperset(SPLIT_ARRAYS):
        raise DataError(
            f"{path}: holds a split data set ({', '.join(SPLIT_ARRAYS)}), and one set of samples is needed; "
            "write the part that is meant with np.savez(path, X=X, y=y), or read all with presparse.data.load_splits"
        )
    if "X" not in found:
        raise DataError(f"{path}: has no array named X; {_MEND}")
    return found["X"], found.get("y")


def _read_npz(path: Path, wanted: tuple[str, ...]) -> tuple[dict[str, NDArray[Any]], set[str]]:
    """The wanted arrays that are there, features (x...) as float64, and the names of all arrays."""
    try:
        with input_files.checked(path).open("rb") as file:  # np.load(path) would leave it open if it is no archive
            arrays = np.load(file, allow_pickle=False)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            assert arrays.zip is not None  # only after it was closed
            unpacked = sum(entry.file_size for entry in arrays.zip.infolist())
            if unpacked > input_files.LARGEST:
                raise ValueError(f"{unpacked:,} bytes when unpacked, and at most {input_files.LARGEST:,} are read")
            names = set(arrays.files)
            found = {name: arrays[name] for name in wanted if name in names}
    except _NO_NPZ as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: not an npz file of numbers ({reason}); {_MEND}") from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):  # an entry that does not begin as arrays do
            raise DataError(f"{path}: not an npz file of numbers ({name} is no array); {_MEND}")
        if array.dtype.kind not in ("biufU" if _is_labels(name) else "biuf"):
            raise DataError(f"{path}: not an npz file of numbers ({name} has dtype {array.dtype}); {_MEND}")
        if array.size > _MOST_NUMBERS:
            raise DataError(f"{path}: {name} holds {array.size:,} numbers, and at most {_MOST_NUMBERS:,} are read")
    with np.errstate(invalid="ignore"):  # what is no number is found later
        return {name: array if _is_labels(name) else array.astype(np.float64) for name, array in found.items()}, names


def _is_labels(name: str) -> bool:
    return name.startswith("y")
