"""A command's data, checked against the network before anything takes time; messages name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from presparse import data
from presparse.contract.network import Network
from presparse.data import Data
from presparse.errors import FeatureError
from presparse.model import Model, checked_features, checked_labels


def labelled(source: str, network: Network, width: int | None = None) -> Data:
    """X (k, width) and y (k,); a model's width, or the network's features. Raises DataError, FeatureError."""
    X, y = data.load(source)
    with _named(source):
        return checked_features(X, width or network.features), checked_labels(y, len(X), network.classes)


def unlabelled(source: str, model: Model) -> tuple[NDArray[np.float64], bool]:
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
