"""A command's data, checked against the network before anything takes time; messages name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from presparse import data
from presparse.contract.network import Network
from presparse.data import Data, Splits
from presparse.errors import FeatureError
from presparse.model import Model
from presparse.validation import checked_features, checked_labels


def labeled(source: str, network: Network, width: int | None = None) -> Data:
    """X (k, width) and y (k,); a model's width, or the network's features. Raises DataError, FeatureError."""
    X, y = data.load(source)
    with _named(source):
        return checked_features(X, width or network.features), checked_labels(y, len(X), network.classes)


def parts(source: str, width: int, classes: int, *, held_out: float, seed: int) -> Splits:
    """X (k, width) and y (k,) to train on, to choose by and to measure; the last two a share `held_out` each.

    Data that comes in parts keeps them. Raises DataError, FeatureError, ArgumentError.
    """
    splits = data.load_splits(source, validation=held_out, test=held_out, seed=seed)
    with _named(source):
        for X, y in (splits.train, splits.validation, splits.test):
            checked_labels(y, len(checked_features(X, width)), classes)
    return splits


def unlabeled(source: str, model: Model) -> tuple[NDArray[np.float64], bool]:
    """X (k, width), and whether the data has classes too. Raises DataError, FeatureError."""
    X, has_classes = data.load_features(source, model.width)
    with _named(source):
        return checked_features(X, model.width), has_classes


@contextmanager
def _named(source: str) -> Iterator[None]:
    try:
        yield
    except FeatureError as error:
        raise FeatureError(f"{source}: {error}") from error
