"""A pre-defined sparse network in floating point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from presparse.contract.network import Activation, Network
from presparse.contract.pattern import Pattern, arranged
from presparse.errors import TrainingError
from presparse.features.inputs import Inputs
from presparse.model import Model, initial_inputs, initial_weights, seen_by
from presparse.train.sparse_linear import SparseLinear
from presparse.validation import Labels, checked_classes, checked_features, checked_labels, checked_seed


class SparseNetwork(nn.Module):
    """A network's junctions as `SparseLinear` layers, zero weights at first.

    Parameters
    ----------
    network : Network, or its name or path
    left : per junction (right, edges per right neuron)
        Any pattern. Only clash-free ones can become a `Model`; 'random' and 'fully connected' are for comparison.
    inputs, classes_
        What `Model` says: how X becomes numbers, and the labels of the outputs.
    """

    dtype: torch.dtype = torch.float32

    def __init__(
        self,
        network: Network | str | Path,
        left: Sequence[NDArray[np.int64]],
        *,
        inputs: Inputs | None = None,
        classes_: ArrayLike | None = None,
    ) -> None:
        super().__init__()
        self.network = network = Network.given(network)
        self.scaled_by = Inputs.plain(network.features) if inputs is None else inputs
        self.classes_ = checked_classes(() if classes_ is None else classes_, network.classes)
        self.layers = nn.ModuleList(
            SparseLinear(junction.left, edges, dtype=self.dtype)
            for junction, edges in zip(network.junctions, left, strict=True)
        )

    @property
    def width(self) -> int:
        """Columns of the user's X."""
        return self.scaled_by.width

    @classmethod
    def initial(
        cls,
        network: Network | str | Path,
        *,
        pattern: Pattern = None,
        random_state: int = 0,
        inputs: Inputs | None = None,
        classes_: ArrayLike | None = None,
    ) -> Self:
        """A fresh network: the pattern and, before rounding, the weights of `Model.initial`."""
        network = seen_by(Network.given(network), inputs)
        rng = np.random.default_rng(checked_seed(random_state))
        left = arranged(network, pattern, rng)
        inputs = initial_inputs(network, pattern, inputs)
        fresh = cls(network, left, inputs=inputs, classes_=classes_)
        with torch.no_grad():
            for junction, layer, edges in zip(network.junctions, fresh.sparse_layers, left, strict=True):
                layer.weight.copy_(torch.tensor(initial_weights(network, junction, edges, rng, inputs)))
        return fresh

    @classmethod
    def from_model(cls, model: Model) -> Self:
        """A network that starts from a model's pattern, weights and biases."""
        network = cls(model.network, model.left, inputs=model.inputs, classes_=model.classes_)
        weight = model.network.formats.weight
        with torch.no_grad():
            for layer, weights, biases in zip(network.sparse_layers, model.weights, model.biases, strict=True):
                layer.weight.copy_(torch.tensor(weight.decode(weights)))
                layer.bias.copy_(torch.tensor(weight.decode(biases)))
        return network

    @property
    def sparse_layers(self) -> list[SparseLinear]:
        return [layer for layer in self.layers if isinstance(layer, SparseLinear)]

    def forward(self, inputs: Tensor) -> Tensor:
        """(k, N_0) -> (k, N_L): sums of the output neurons, before their activation."""
        sums = inputs
        for junction, layer in zip(self.network.junctions, self.sparse_layers, strict=True):
            sums = layer(inputs)
            inputs = self.activate(sums, junction.activation)
        return sums

    def activate(self, sums: Tensor, activation: Activation) -> Tensor:
        """Sums of hidden neurons to what they hold."""
        if activation == "relu":
            return sums.relu()
        return sums.sigmoid() if activation == "sigmoid" else sums

    def inputs(self, X: ArrayLike) -> Tensor:
        """Real features (k, width) as the network takes them (k, N_0): scaled, and padding is 0.

        Raises FeatureError as `Model.encode` does.
        """
        return self.inputs_checked(checked_features(X, self.width, self.scaled_by.names))

    def inputs_checked(self, values: NDArray[np.float64]) -> Tensor:
        """The same, of what `checked_features` returned."""
        layer = torch.zeros(len(values), self.network.layers[0], dtype=self.dtype)
        layer[:, torch.tensor(self.scaled_by.places)] = torch.tensor(self.scaled_by.real(values), dtype=self.dtype)
        return layer

    @torch.no_grad()
    def predict(self, X: ArrayLike) -> Labels:
        """(k, features) -> (k,) classes, of `classes_`."""
        return self.classes_[self.classes(self(self.inputs(X))).numpy()]

    @torch.no_grad()
    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Accuracy, 0 to 1."""
        predicted = self.classes(self(self.inputs(X))).numpy()
        return float(np.mean(predicted == checked_labels(y, len(predicted), self.classes_)))

    def classes(self, sums: Tensor) -> Tensor:
        """(k, N_L) output sums -> (k,): the lowest class with the largest sum."""
        return sums[:, : self.network.classes].argmax(1)

    def model(self) -> Model:
        """The integers a board would hold: weights and biases rounded to the weight format.

        Raises PatternError if the pattern is not clash-free, TrainingError for weights that are not finite.
        """
        for name, parameter in self.named_parameters():
            if not parameter.isfinite().all():
                raise TrainingError(f"{name} holds NaN or infinity: its training diverged; train with a lower lr")
        weight = self.network.formats.weight
        layers = self.sparse_layers
        return Model(
            network=self.network,
            left=tuple(layer.left.numpy() for layer in layers),
            weights=tuple(weight.encode(layer.weight.detach().double().numpy()) for layer in layers),
            biases=tuple(weight.encode(layer.bias.detach().double().numpy()) for layer in layers),
            inputs=self.scaled_by,
            classes_=self.classes_,
        )


class BoundedNetwork(SparseNetwork):
    """A `SparseNetwork` that learns within the ranges of the board's formats: rounding it then changes little, where
    what has grown beyond them would be lost."""

    def inputs_checked(self, values: NDArray[np.float64]) -> Tensor:
        """They saturate as the board's do."""
        return self._saturated(super().inputs_checked(values))

    def activate(self, sums: Tensor, activation: Activation) -> Tensor:
        """They saturate as the board's do; so do the gradients."""
        return self._saturated(super().activate(sums, activation))

    def _saturated(self, values: Tensor) -> Tensor:
        held_in = self.network.formats.activation
        return values.clamp(held_in.min / held_in.one, held_in.max / held_in.one)

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep weights and biases inside the weight format."""
        weight = self.network.formats.weight
        for parameter in self.parameters():
            parameter.clamp_(weight.min / weight.one, weight.max / weight.one)
