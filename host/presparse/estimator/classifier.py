"""A pre-defined sparse network as a classifier of scikit-learn, trained in PyTorch or on a board."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from presparse import opening
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.pattern import Pattern
from presparse.errors import ArgumentError, FeatureError, MissingExtra
from presparse.estimator.samples import features_of, labeled
from presparse.features.inputs import Inputs
from presparse.features.scaling import Scaling
from presparse.fitting.holding_out import Validation
from presparse.fitting.rates import is_auto
from presparse.messages.bundle import Manifest
from presparse.model import Model
from presparse.sizing.proposal import Auto, design
from presparse.validation import LARGEST_SEED, checked_seed

BATCH_SIZE = 32
"""Samples per step, in PyTorch."""


class SparseClassifier(ClassifierMixin, BaseEstimator):
    """A pre-defined sparse network: an estimator for `Pipeline`, `GridSearchCV`, `cross_val_score` and pickles.

    Features go in as they are: the network's scaling is learned with it. Predictions are exact integers, computed here,
    and equal those of a board with the model.

    Parameters
    ----------
    hidden : "auto" or sequence of int
        Neurons of the hidden layers, and none for (); "auto" is one layer, as large as samples and classes ask for.
    density : "auto", float or sequence of float
        Share of all possible edges, or one for each junction; "auto" is as dense as a middle-size FPGA can hold.
    network : Network, Build, str or path, optional
        Takes the place of `hidden` and `density`: a network, its name or file, or the bundle of a board.
    device : str or path, optional
        None trains in PyTorch. What `presparse.open` takes trains there: "emulator:c", "sim", "ulx3s-85f"; so does the
        folder of a bundle, on the board that it was built for. The device is open during `fit` and `partial_fit` only.
    pattern, scale, epochs, lr, patience, class_weight, validation
        As for `presparse.train.fit` and `Accelerator.fit`; the learning rate is that of Adam in PyTorch, and 2^-k on a
        board.
    batch_size : int
        Samples per step, in PyTorch.
    random_state : int, RandomState instance or None
        Of pattern, weights and the order of samples. The same number gives the same model.

    Attributes
    ----------
    classes_ : (classes,) ndarray
        The labels, sorted.
    network_ : Network
        What was trained; `network_.save` writes it for `presparse build`.
    model_ : Model
        What was learned, with its `history`; `model_.save` writes it, and `Accelerator.load` takes it.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : (columns of X,) ndarray of str
        Only if X had names of columns that are all str.

    All methods raise FeatureError for X or y that they cannot take. `fit` and `partial_fit` raise what `design`,
    `presparse.train.fit`, `presparse.open` and `Accelerator.fit` raise, and ArgumentError for parameters of which one
    contradicts another.
    """

    def __init__(
        self,
        hidden: Sequence[int] | Auto = "auto",
        density: float | Sequence[float] | Auto = "auto",
        *,
        network: Network | Build | str | Path | None = None,
        device: str | Path | None = None,
        pattern: Pattern | None = None,
        scale: Scaling = "auto",
        epochs: int | None = None,
        lr: float | Sequence[float] | Auto = "auto",
        patience: int | None = None,
        batch_size: int = BATCH_SIZE,
        class_weight: Literal["balanced"] | None = None,
        validation: Validation = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.hidden: Sequence[int] | Auto = hidden
        self.density: float | Sequence[float] | Auto = density
        self.network = network
        self.device = device
        self.pattern = pattern
        self.scale: Scaling = scale
        self.epochs = epochs
        self.lr: float | Sequence[float] | Auto = lr
        self.patience = patience
        self.batch_size = batch_size
        self.class_weight: Literal["balanced"] | None = class_weight
        self.validation = validation
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train afresh on X (samples, features), y (samples,): labels of any kind, at least two different ones."""
        values, labels = labeled(self, X, y)
        device, source = self._target()
        self._begin(source, labels, len(values))
        if device is None:
            model = _pytorch().fit(self.network_, values, labels, batch_size=self.batch_size, **self._settings())
        else:
            with opening.open(device, source or self.network_) as board:
                history = board.fit(values, labels, **self._settings())
                model = replace(board.read_model(), history=history)
        self.model_ = self._named(model)
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """Learn X (samples, features), y (samples,) once, going on from what was learned before.

        A first call that no `fit` came before needs `classes`, all labels that will ever come, and its samples decide
        how features are scaled. In PyTorch a call is one epoch; a board learns the samples one by one in their order.
        """
        first = not hasattr(self, "model_")
        values, labels = labeled(self, X, y, reset=first)
        device, source = self._target()
        if first:
            if classes is None:
                raise ArgumentError("classes are not known in the first call of partial_fit; pass all labels there are")
            self._begin(source, np.asarray(classes), None)
            self.model_ = self._named(self._initial(values))
        if device is None:
            train = _pytorch()
            learning = train.QuantizedNetwork.from_model(self.model_)
            history = train.fit_network(
                learning, values, labels, epochs=1, batch_size=self.batch_size, random_state=self._seed()
            )
            model = replace(learning.model(), history=history)
        else:
            with opening.open(device, source or self.network_) as board:
                board.load(self.model_)
                board.partial_fit(values, labels)
                model = board.read_model()
        self.model_ = self._named(model)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels (samples,): of the largest score, the first of `classes_` if several are largest."""
        check_is_fitted(self, "model_")
        values = features_of(self, X)
        return self.classes_[self.model_.decision_function(values).argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (samples, classes), in the order of `classes_`; every row sums to 1."""
        check_is_fitted(self, "model_")
        values = features_of(self, X)
        return self.model_.predict_proba(values)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Scores (samples, classes) as the output neurons give them; of two classes (samples,), the second's
        probability minus the first's."""
        check_is_fitted(self, "model_")
        values = features_of(self, X)
        if len(self.classes_) > 2:
            return self.model_.decision_function(values)
        first, second = self.model_.predict_proba(values).T
        return second - first

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What is given

    def _target(self) -> tuple[str | None, Network | Build | str | Path | None]:
        """The device to train on, None for this computer; and the network that is given, None if it is to be sized."""
        if self.network is not None and not (isinstance(self.hidden, str) and isinstance(self.density, str)):
            raise ArgumentError("network says what hidden and density say; give it, or these, and not both")
        if self.device is None or not os.path.isdir(self.device):
            return None if self.device is None else str(self.device), self.network
        if self.network is not None:
            raise ArgumentError(f"{self.device} is a bundle, which has a network; leave network out")
        return Manifest.load(self.device).board, self.device

    def _begin(self, source: Network | Build | str | Path | None, labels: NDArray[Any], samples: int | None) -> None:
        """Find classes and network."""
        self.classes_ = np.unique(labels)
        features, classes = self.n_features_in_, len(self.classes_)
        if classes < 2:
            only = self.classes_[:1].tolist()[0]
            raise FeatureError(f"y has only one class, {only!r}; give samples of at least two classes")
        if source is None:
            sizing = design(features, classes, self.hidden, density=self.density, samples=samples)
            self.network_ = sizing.network
            return
        self.network_ = network = _network_of(source)
        if (network.features, network.classes) != (features, classes):
            raise FeatureError(
                f"network {network.name} takes {network.features} features and tells {network.classes} classes apart, "
                f"and X has {features}, y {classes}; give another network, or none"
            )

    def _seed(self) -> int:
        given = self.random_state
        if given is None or isinstance(given, np.random.RandomState):
            return int(check_random_state(given).randint(LARGEST_SEED))
        return checked_seed(given)

    def _settings(self) -> dict[str, Any]:
        """Of a training, here or on a board; those that are left open it chooses itself."""
        given: dict[str, Any] = {"scale": self.scale, "validation": self.validation, "random_state": self._seed()}
        for name in ("pattern", "epochs", "patience", "class_weight"):
            if getattr(self, name) is not None:
                given[name] = getattr(self, name)
        if not is_auto(self.lr):
            given["lr"] = self.lr
        return given

    def _initial(self, values: NDArray[np.float64]) -> Model:
        """An untrained model, whose scaling suits these samples."""
        pattern = {} if self.pattern is None else {"pattern": self.pattern}
        inputs = Inputs.fit(values, self.scale)
        return Model.initial(self.network_, random_state=self._seed(), inputs=inputs, classes_=self.classes_, **pattern)

    def _named(self, model: Model) -> Model:
        """The model with the names of X's columns, if they have names."""
        names = tuple(getattr(self, "feature_names_in_", ()))
        return replace(model, inputs=replace(model.inputs, names=names))


def _pytorch() -> ModuleType:
    try:
        from presparse import train
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"training without a device needs {error.name}: pip install 'presparse[train]', or give a device"
        ) from error
    return train


def _network_of(source: Network | Build | str | Path) -> Network:
    if isinstance(source, Build):
        return source.network
    if not isinstance(source, Network) and os.path.isdir(source):
        return Manifest.load(source).build.network
    return Network.given(source)
