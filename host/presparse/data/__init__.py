"""Data sets: digits, MNIST, Morse code and a user's own files, as arrays X (k, features) and y (k,).

Features are real numbers in the units of their source; a `Model` remembers how they are scaled.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from presparse.data.digits import load_digits
from presparse.data.files import check_source, load_file, load_file_features, load_file_splits
from presparse.data.labeled import Data
from presparse.data.mnist import DATA_VARIABLE, load_mnist
from presparse.data.morse import CODEWORDS, morse, morse_difficult
from presparse.data.splits import TEST, VALIDATION, Splits, hold_out, split

__all__ = [
    "CODEWORDS",
    "DATA_VARIABLE",
    "Data",
    "Splits",
    "hold_out",
    "load",
    "load_digits",
    "load_features",
    "load_mnist",
    "load_splits",
    "morse",
    "morse_difficult",
    "split",
]


def load(source: str | Path, *, download: bool = False) -> Data:
    """A data set by name, or a file.

    - 'digits', which comes with scikit-learn.
    - 'mnist', 'mnist-test': from the folder PRESPARSE_DATA; without one, and with `download`, from OpenML.
    - 'morse', 'morse-difficult': 64,000 samples as `morse` and `morse_difficult` draw them.
    - `.npz`: arrays `X` (k, features) and `y` (k,).
    - `.csv`: one sample per line, comma-separated, the class last; a first line of names is a header
      (`presparse.data.table`).

    Raises DataError, naming what is wrong and what to do.
    """
    check_source(source)
    if source == "digits":
        return load_digits()
    if source == "mnist":
        return load_mnist("train", download=download)
    if source == "mnist-test":
        return load_mnist("test", download=download)
    if source == "morse":
        return morse()
    if source == "morse-difficult":
        return morse_difficult()
    return load_file(source)


def load_features(source: str | Path, features: int) -> tuple[NDArray[np.float64], bool]:
    """X (k, features) of a data set with or without classes, and whether it has classes, which are left out.

    As `load`, but an `.npz` file needs no `y`; and of a `.csv` file, lines of exactly `features` numbers are samples
    without a class. Raises DataError; the width of an `.npz` file's X is not looked at.
    """
    check_source(source)
    if Path(source).suffix in (".npz", ".csv"):
        return load_file_features(source, features)
    return load(source)[0], True


def load_splits(
    source: str | Path,
    *,
    validation: float = VALIDATION,
    test: float = TEST,
    seed: int = 0,
    download: bool = False,
) -> Splits:
    """A data set in three parts: to train on, to choose by, to report.

    - `.npz` with arrays `xtr`, `ytr`, `xva`, `yva`, `xte`, `yte`: its own parts; labels (k,), or one-hot (k, classes).
    - 'mnist': its own test images; `validation` is a fraction of the training images, drawn with `seed`.
    - Any other source of `load`: `validation` and `test` are fractions of its samples, drawn with `seed`.

    Raises as `load` and `split` do.
    """
    check_source(source)
    if source == "mnist":
        train, chosen_by = hold_out(*load_mnist("train", download=download), validation, seed=seed)
        return Splits(train=train, validation=chosen_by, test=load_mnist("test", download=download))
    given = load_file_splits(source)
    if given is not None:
        return given
    return split(*load(source, download=download), validation=validation, test=test, seed=seed)
