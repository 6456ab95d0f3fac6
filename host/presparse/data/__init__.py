"""Data sets: digits, MNIST, CIFAR-10, Morse code and a user's own files, as arrays X (k, features) and y (k,).

Features are real numbers in the units of their source; a `Model` remembers how they are scaled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from presparse.data.cifar import CIFAR10_SHAPE, load_cifar10
from presparse.data.digits import load_digits
from presparse.data.files import check_source, kind_of, load_file_splits, load_file_table
from presparse.data.labeled import Data
from presparse.data.missing import Missing
from presparse.data.mnist import DATA_VARIABLE, load_mnist
from presparse.data.morse import CODEWORDS, morse, morse_difficult
from presparse.data.splits import OWN_TEST, TEST, VALIDATION, Splits, hold_out, split
from presparse.data.table import Table
from presparse.errors import DataError

IMAGES = {"digits": (8, 8), "mnist": (28, 28), "cifar10": CIFAR10_SHAPE}
"""Data sets whose features are images: rows and columns, perhaps channels, which come last."""

__all__ = [
    "CIFAR10_SHAPE",
    "CODEWORDS",
    "DATA_VARIABLE",
    "IMAGES",
    "Data",
    "Missing",
    "Splits",
    "Table",
    "hold_out",
    "load",
    "load_cifar10",
    "load_digits",
    "load_features",
    "load_mnist",
    "load_splits",
    "load_table",
    "morse",
    "morse_difficult",
    "split",
]


def load(
    source: str | Path, *, target: str | int | None = None, missing: Missing = "refuse", download: bool = False
) -> Data:
    """A data set by name, or a file: X (k, features) and y (k,), labels as they are there, whole numbers or names.

    - 'digits', which comes with scikit-learn.
    - 'mnist', 'mnist-test': from the folder PRESPARSE_DATA; without one, and with `download`, from OpenML.
    - 'cifar10', 'cifar10-test': binary batches in the folder PRESPARSE_DATA.
    - 'morse', 'morse-difficult': 64,000 samples as `morse` and `morse_difficult` draw them.
    - `.npz`: arrays `X` (k, features) and `y` (k,).
    - `.csv`, `.tsv`: one sample per line, cells separated by commas, semicolons or tabs, with a header or without
      (`presparse.data.table`). `target` is the column of the class, its name or its number from 1 on; by default the
      one that is called class, label, target or y, else the last.

    With `missing` 'median', the median of its feature stands for a number that is not there.

    Raises DataError, naming what is wrong and what to do; ArgumentError for another `missing`.
    """
    table = load_table(source, target=target, missing=missing, download=download)
    assert table.y is not None  # of what has no classes `load_table` refuses to give any
    return table.X, table.y


def load_table(
    source: str | Path,
    *,
    target: str | int | None = None,
    missing: Missing = "refuse",
    features: int | None = None,
    names: Sequence[str] = (),
    classes: Iterable[object] = (),
    download: bool = False,
) -> Table:
    """A data set as `load` reads it, with what else is known: names of features, medians, columns that were left out.

    For a trained model, say how many `features` it takes, and classes need not be there; and their `names`: in a `.csv`
    file with a header the features are found by them, in any order, and other columns are left out. `classes` are
    labels that are known: a first line without a header that ends in another may be a header, and is refused.
    """
    check_source(source)
    if kind_of(source) is not None:
        return load_file_table(source, target=target, missing=missing, features=features, names=names, classes=classes)
    if target is not None:
        raise DataError(f"{source}: has its own classes, and target is for csv files; leave it out")
    X, y = _named(source, download)
    return Table(X=X, y=y)


def load_features(source: str | Path, features: int) -> tuple[NDArray[np.float64], bool]:
    """X (k, features) of a data set with or without classes, and whether it has classes, which are left out.

    As `load`, but an `.npz` file needs no `y`; and of a `.csv` file, lines of exactly `features` numbers are samples
    without a class. Raises DataError; the width of an `.npz` file's X is not looked at.
    """
    table = load_table(source, features=features)
    return table.X, table.y is not None


def _named(source: str | Path, download: bool) -> Data:
    if source == "digits":
        return load_digits()
    if source == "mnist":
        return load_mnist("train", download=download)
    if source == "mnist-test":
        return load_mnist("test", download=download)
    if source == "cifar10":
        return load_cifar10("train")
    if source == "cifar10-test":
        return load_cifar10("test")
    if source == "morse":
        return morse()
    if source == "morse-difficult":
        return morse_difficult()
    raise DataError(
        f"{source}: give digits, mnist, mnist-test, cifar10, cifar10-test, morse, morse-difficult, or a file that ends "
        "in .npz or .csv"
    )


def load_splits(
    source: str | Path,
    *,
    target: str | int | None = None,
    missing: Missing = "refuse",
    validation: float = VALIDATION,
    test: float = TEST,
    seed: int = 0,
    download: bool = False,
) -> Splits:
    """A data set in three parts: to train on, to choose by, to report.

    - `.npz` with arrays `xtr`, `ytr`, `xva`, `yva`, `xte`, `yte`: its own parts; labels (k,), or one-hot (k, classes).
    - 'mnist', 'cifar10': their own test images; `validation` is a fraction of the training images, drawn with `seed`.
    - Any other source of `load`: `validation` and `test` are fractions of its samples, drawn with `seed`.

    Raises as `load` and `split` do.
    """
    check_source(source)
    if source in OWN_TEST:
        train, chosen_by = hold_out(*load(source, download=download), validation, seed=seed)
        return Splits(train=train, validation=chosen_by, test=load(f"{source}-test", download=download))
    given = load_file_splits(source)
    if given is not None:
        return given
    return split(
        *load(source, target=target, missing=missing, download=download), validation=validation, test=test, seed=seed
    )
