"""Sparsity statistics, what is left of a model: weights that are not exactly zero, features and neurons that something
still reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from presparse.sparsity.binding import Chosen, Masks, groups_of


@dataclass(frozen=True, kw_only=True)
class LayerLeft:
    """The left neurons of one layer: features, hidden neurons or channels."""

    name: str
    left: int
    """Those with an outgoing weight that is not zero."""
    neurons: int
    """All of them."""


@dataclass(frozen=True, kw_only=True)
class LeftOver:
    """Exact zeros of a model, and the neurons left in front of each of its layers."""

    zeros: int
    """Weights and biases equal to 0."""
    weights: int
    """All weights and biases that exist."""
    layers: tuple[LayerLeft, ...]
    """In the model's order; the first layer's left neurons are the features."""

    @property
    def exact_zeros(self) -> float:
        """Share of weights and biases that are zero, 0 to 1."""
        return self.zeros / self.weights

    def __str__(self) -> str:
        neurons = ", ".join(f"{layer.left}/{layer.neurons}" for layer in self.layers)
        return f"{self.exact_zeros:.1%} of {self.weights} weights are zero; neurons left: {neurons}"


@torch.no_grad()
def left_over(
    model: nn.Module,
    *,
    parameters: Chosen | None = None,
    masks: Masks | None = None,
    flattened: Mapping[str, int] | None = None,
) -> LeftOver:
    """Count exact zeros, nothing else, where a penalty would act; arguments and errors as for `groups_of`."""
    zeros = weights = 0
    layers: list[LayerLeft] = []
    for groups in groups_of(model, parameters=parameters, masks=masks, flattened=flattened, entrywise=True):
        nonzero = groups.values() != 0
        existing = int(groups.sizes.sum())
        weights += existing
        zeros += existing - int(nonzero.sum())
        if groups.layer is not None:
            layers.append(LayerLeft(name=groups.layer, left=int(nonzero.any(0).sum()), neurons=nonzero.shape[1]))
    return LeftOver(zeros=zeros, weights=weights, layers=tuple(layers))
