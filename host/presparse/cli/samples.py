"""A command's data, checked against the network before anything takes time; messages name the file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from presparse import data
from presparse.contract.network import Network
from presparse.data import Data, Splits
from presparse.data.files import load_file_splits
from presparse.data.splits import VALIDATION
from presparse.errors import ArgumentError, DataError, FeatureError
from presparse.history import TrainedOn
from presparse.model import Model
from presparse.support.scratch import scratch_folder
from presparse.terminal.output import bar
from presparse.validation import checked_features, checked_labels

_STDIN = "-"


def labeled(source: str, network: Network, width: int | None = None) -> Data:
    """X (k, width) and y (k,); a model's width, or the network's features. Raises DataError, FeatureError."""
    with _read(source) as place:
        X, y = data.load(place)
        return checked_features(X, width or network.features), checked_labels(y, len(X), np.arange(network.classes))


def parts(
    source: str, width: int, classes: int, *, held_out: float | None, seed: int
) -> tuple[Splits, TrainedOn | None]:
    """X (k, width) and y (k,) to train on, to choose by and to measure; the last two a share `held_out` each. And what
    they are parts of, to be known again.

    Data that comes in parts keeps them, and allows no `held_out`. Raises DataError, FeatureError, ArgumentError.
    """
    share = VALIDATION if held_out is None else held_out
    with _read(source) as place:
        in_parts = load_file_splits(place) is not None
        if in_parts and held_out is not None:
            raise ArgumentError(f"--held-out is for data in one piece, and {source} comes in parts; leave it out")
        splits = data.load_splits(place, validation=share, test=share, seed=seed)
        for X, y in (splits.train, splits.validation, splits.test):
            checked_labels(y, len(checked_features(X, width)), np.arange(classes))
        whole = None if in_parts else TrainedOn.of(*data.load(place), validation=None, random_state=seed)
    return splits, whole


def unlabeled(source: str, model: Model) -> tuple[NDArray[np.float64], bool]:
    """X (k, width), and whether the data has classes too. Raises DataError, FeatureError."""
    with _read(source) as place:
        X, has_classes = data.load_features(place, model.width)
        return checked_features(X, model.width), has_classes


def file_of(source: str) -> Path | None:
    """The file that a source is; None for a data set that has a name, and for standard input."""
    return Path(source) if Path(source).suffix else None


def called(source: str) -> str:
    """What people call it."""
    return "standard input" if source == _STDIN else source


@contextmanager
def _read(source: str) -> Iterator[str]:
    """What `data` reads while the block lasts; its errors name the source as the user knows it."""
    name = called(source)
    with bar(f"reading {name}"), _stdin_as_file() if source == _STDIN else nullcontext(source) as place:
        try:
            yield place
        except FeatureError as error:
            raise FeatureError(f"{name}: {error}") from error
        except DataError as error:
            raise DataError(str(error).replace(place, name)) from error


@contextmanager
def _stdin_as_file() -> Iterator[str]:
    """A CSV file with what comes from standard input, so that one reader reads all."""
    with scratch_folder() as folder:
        file = folder / "stdin.csv"
        try:
            file.write_bytes(sys.stdin.buffer.read() if sys.stdin else b"")
        except OSError as error:
            raise DataError(
                f"standard input: cannot be read ({error.strerror or error}); give a file, or pipe lines of numbers in"
            ) from error
        yield str(file)
