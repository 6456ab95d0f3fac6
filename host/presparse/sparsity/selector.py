"""Features that a group penalty leaves, as a transformer of scikit-learn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from presparse.contract.description import shortened
from presparse.errors import ArgumentError, FeatureError
from presparse.estimator.samples import labeled
from presparse.features.inputs import Inputs
from presparse.fitting.holding_out import hold_out
from presparse.sparsity.penalties import Regularizer, SparseGroupLasso
from presparse.sparsity.proximal import ProximalOptimizer
from presparse.train.epochs import train_epochs
from presparse.validation import checked_count, checked_seed

_WEAKEST, _FACTOR = 1e-3, 1.6
"""Strengths that "auto" tries, one after the other."""
_FIRST_STEPS, _MORE_STEPS = 100, 30
"""Of the optimizer, at the weakest strength and at every further one; a strength that is given takes all of both."""
_BATCH_SIZE = 256
_LR = 0.01
_RANGE = 2.0
"""Of scaled features, as on a board: an outlier counts no more."""
_HELD_OUT = 0.2
_FEWEST = 10
"""Samples of which some are held out; fewer are measured as they were trained."""


class SparseFeatureSelector(SelectorMixin, BaseEstimator):
    """The features that a sparse group lasso leaves in a small network: all weights out of a feature are one group.

    Classes may depend on features that say something only together; features may have any units.

    Parameters
    ----------
    strength : "auto" or float
        lambda of `SparseGroupLasso`, for features as networks get them (`presparse.features.scaling`). "auto" rises,
        going on from the weights before, until no feature is left, and takes the largest whose accuracy on held-out
        samples is within a standard error of the best (as Lemhadri et al., "LassoNet", 2021, go from dense to sparse).
    l1 : float
        Weight of single weights beside the groups.
    hidden : sequence of int
        Neurons of the hidden layers. None for (): a linear model, which sees what each feature says by itself.
    max_features : int, optional
        So many are kept at most, those with the largest weights.
    random_state : int
        Of weights, order and held-out samples. The same number gives the same features.

    Attributes
    ----------
    scores_ : (n_features_in_,) ndarray
        The norm of each feature's weights; 0 if the penalty took it.
    strength_ : float
    n_features_in_ : int
    feature_names_in_ : (n_features_in_,) ndarray of str
        Only if X had names of columns that are all str.

    Raises FeatureError for X or y that it cannot take, ArgumentError for parameters.
    """

    def __init__(
        self,
        strength: float | Literal["auto"] = "auto",
        *,
        l1: float = 0.0,
        hidden: Sequence[int] = (32,),
        max_features: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.strength: float | Literal["auto"] = strength
        self.l1 = l1
        self.hidden = hidden
        self.max_features = max_features
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find the features of X (samples, features) that tell the labels y (samples,) apart."""
        values, labels = self._samples(X, y)
        sizes = (values.shape[1], *(checked_count("hidden", size) for size in self.hidden), int(labels.max()) + 1)
        seed = checked_seed(self.random_state)
        automatic = isinstance(self.strength, str)
        learned = held = np.arange(len(labels))
        if automatic and len(labels) >= _FEWEST:
            learned, held = hold_out(labels, _HELD_OUT, seed)
        scaled = Inputs.fit(values[learned]).real(values).clip(-_RANGE, _RANGE)
        inputs, wanted = torch.from_numpy(scaled.astype(np.float32)), torch.from_numpy(labels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            first, network = _mlp(sizes)
        found: list[_Left] = []
        for strength, steps in self._strengths():
            regularizer = SparseGroupLasso(strength, self.l1).on(network, parameters=[first.weight])
            _train(network, inputs[learned], wanted[learned], regularizer, steps, seed)
            scores = first.weight.detach().norm(dim=0).numpy()
            if automatic and not scores.any():
                break
            found.append(_Left(strength, scores, _accuracy(network, inputs[held], wanted[held])))
        if not found:
            raise FeatureError("no feature of X says anything about y; give other features")
        chosen = _strongest(found, len(held))
        self.strength_, self.scores_ = chosen.strength, chosen.scores
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        kept = self.scores_ > 0
        if self.max_features is not None:
            most = checked_count("max_features", self.max_features)
            kept[np.argsort(-self.scores_, kind="stable")[most:]] = False
        return kept

    def _strengths(self) -> Iterator[tuple[float, int]]:
        """Strengths to train with, one after the other, and for how many steps."""
        if not isinstance(self.strength, str):
            yield self.strength, _FIRST_STEPS + 10 * _MORE_STEPS
            return
        if self.strength != "auto":
            raise ArgumentError(f"strength must be a number or 'auto', and is {shortened(self.strength)}")
        yield _WEAKEST, _FIRST_STEPS
        for power in itertools.count(1):
            yield _WEAKEST * _FACTOR**power, _MORE_STEPS

    def _samples(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """X, and class numbers."""
        values, labels = labeled(self, X, y, dtype=np.float64)
        classes, numbers = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise FeatureError("y has only one class; give samples of at least two classes")
        return values, numbers


@dataclass(frozen=True)
class _Left:
    """What a strength leaves."""

    strength: float
    scores: NDArray[np.float32]
    accuracy: float


def _strongest(found: Sequence[_Left], samples: int) -> _Left:
    """The last whose accuracy on so many samples is within a standard error of the best."""
    best = max(left.accuracy for left in found)
    error = math.sqrt(best * (1 - best) / samples)
    return next(left for left in reversed(found) if left.accuracy >= best - error)


def _mlp(sizes: Sequence[int]) -> tuple[nn.Linear, nn.Sequential]:
    """Its first layer, and the whole."""
    first, *others = (nn.Linear(left, right) for left, right in itertools.pairwise(sizes))
    return first, nn.Sequential(first, *(part for layer in others for part in (nn.ReLU(), layer)))


def _train(
    network: nn.Sequential, inputs: Tensor, labels: Tensor, regularizer: Regularizer, steps: int, seed: int
) -> None:
    """Some steps of Adam on (k, features), (k,)."""
    optimizer = torch.optim.Adam(network.parameters(), lr=_LR)
    train_epochs(
        network,
        inputs,
        labels,
        optimizer=ProximalOptimizer(optimizer, regularizer),
        loss=lambda outputs, wanted: nn.functional.cross_entropy(outputs, wanted, reduction="sum"),
        classes=lambda outputs: outputs.argmax(1),
        held_out=None,
        epochs=max(1, round(steps * min(_BATCH_SIZE, len(inputs)) / len(inputs))),
        batch_size=_BATCH_SIZE,
        seed=seed,
    )


@torch.no_grad()
def _accuracy(network: nn.Sequential, inputs: Tensor, labels: Tensor) -> float:
    return (network(inputs).argmax(1) == labels).double().mean().item()
