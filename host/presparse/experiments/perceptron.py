"""The dense networks of the experiments, and how they take data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from presparse.data import Data, Splits, load_splits
from presparse.features.scaling import scaling


def perceptron(sizes: Sequence[int], seed: int, *, normalized: bool = False) -> nn.Sequential:
    """ReLU between layers of these sizes, behind BatchNorm if `normalized`; weights by torch's own rule."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for left, right in pairwise(sizes[:-1]):
        layers += [nn.Linear(left, right), *([nn.BatchNorm1d(right)] if normalized else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


@lru_cache(maxsize=1)  # MNIST takes half a gigabyte
def parts(source: str, seed: int) -> Splits:
    """A data set's three parts, scaled to 0 .. 1 by one range for all features."""
    splits = load_splits(source, seed=seed)
    low = float(splits.train[0].min())
    gain = scaling(splits.train[0], "overall").gain
    return each_part(splits, lambda X: (X - low) * gain)


def each_part(splits: Splits, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Splits:
    """The parts with other features."""
    return Splits(
        train=(change(splits.train[0]), splits.train[1]),
        validation=(change(splits.validation[0]), splits.validation[1]),
        test=(change(splits.test[0]), splits.test[1]),
    )


def together(first: Data, second: Data) -> Data:
    """Both parts as one: hyper-parameters are chosen, and what chose them may be learned from, too."""
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])


def accuracy(model: nn.Module, data: Data) -> float:
    """Share of samples that a model gets right, 0 to 1."""
    model.eval()

    @torch.no_grad()
    def predict(X: NDArray[np.float64]) -> NDArray[np.int64]:
        return model(torch.tensor(X, dtype=torch.float32)).argmax(1).numpy()

    return accuracy_of(predict, data)


def accuracy_of(predict: Callable[[NDArray[np.float64]], NDArray[np.int64]], data: Data) -> float:
    """Share of samples whose class `predict` gives, 0 to 1; some thousand at a time."""
    X, y = data
    right = sum(int((predict(X[i : i + 4096]) == y[i : i + 4096]).sum()) for i in range(0, len(y), 4096))
    return right / len(y)
