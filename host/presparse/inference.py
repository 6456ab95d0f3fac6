"""What a network computes of samples, exactly, in numpy: the board's scores without a board."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from presparse.contract.activation import sigmoid_table, table_input
from presparse.contract.formats import rescale, saturate
from presparse.contract.network import Junction, Network

_AT_ONCE = 4096
"""Samples that go through the network together."""
_PLACES = 1 << 22
"""Of the matrix that right neurons are multiplied with at once."""
_EXACT_BITS = 53
"""A float64 holds every whole number of up to so many bits."""


def raw_outputs(
    network: Network,
    left: tuple[NDArray[np.int64], ...],
    weights: tuple[NDArray[np.int64], ...],
    biases: tuple[NDArray[np.int64], ...],
    features: NDArray[np.signedinteger],
) -> NDArray[np.int64]:
    """Encoded features (k, N_0) to what every output neuron gives (k, N_L), integers of the output format.

    `left`, `weights` and `biases` are a `Model`'s. The formulas are those of docs/arithmetic.md, bit for bit.
    """
    found = np.empty((len(features), network.layers[-1]), dtype=np.int64)
    for first in range(0, len(features), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        *_, found[part] = activations(network, left, weights, biases, features[part])
    return found


def activations(
    network: Network,
    left: tuple[NDArray[np.int64], ...],
    weights: tuple[NDArray[np.int64], ...],
    biases: tuple[NDArray[np.int64], ...],
    features: NDArray[np.signedinteger],
) -> Iterator[NDArray[np.int64]]:
    """What every layer behind the features gives (k, N_i), layer after layer; the last are the raw outputs."""
    found = features.astype(np.int64)
    for junction, edges, weight, bias in zip(network.junctions, left, weights, biases, strict=True):
        found = _activate(network, junction, _sums(network, junction, found, edges, weight, bias))
        yield found


def classes(network: Network, raw: NDArray[np.int64]) -> NDArray[np.int64]:
    """Raw outputs (k, N_L) to classes (k,): the largest score, the lowest class if several are largest."""
    return raw[:, : network.classes].argmax(axis=1)


def decision_function(network: Network, raw: NDArray[np.int64]) -> NDArray[np.float64]:
    """Raw outputs (k, N_L) to the scores of the classes (k, classes), in real units."""
    return network.formats.output.decode(raw[:, : network.classes])


def probabilities(network: Network, raw: NDArray[np.int64]) -> NDArray[np.float64]:
    """Raw outputs (k, N_L) to probabilities (k, classes); every row sums to 1.

    A sigmoid output is each class's own probability: a row is divided by its sum (equal shares if that is 0).
    Scores of an identity output go through a softmax.
    """
    scores = decision_function(network, raw)
    if network.activations[-1] == "identity":
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    sums = scores.sum(axis=1, keepdims=True)
    return np.divide(scores, sums, out=np.full_like(scores, 1 / network.classes), where=sums > 0)


def _sums(
    network: Network,
    junction: Junction,
    activations: NDArray[np.int64],
    left: NDArray[np.int64],
    weights: NDArray[np.int64],
    biases: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(k, left) -> (k, right): exact sums with bias, `sum_frac`. As products with dense matrices: they are fastest."""
    # With floating point only where it is exact: no partial sum exceeds the largest.
    kind = np.float64 if network.sum_width(junction) <= _EXACT_BITS else np.int64
    operands = (weights >> network.formats.operand_shift).astype(kind)
    inputs = activations.astype(kind)
    sums = np.empty((len(activations), junction.right), dtype=np.int64)
    step = max(1, _PLACES // junction.left)
    for first in range(0, junction.right, step):
        part = slice(first, first + step)
        dense = np.zeros((len(left[part]), junction.left), dtype=kind)
        np.put_along_axis(dense, left[part], operands[part], axis=1)
        sums[:, part] = inputs @ dense.T
    return (sums << (network.sum_frac - network.product_frac)) + (
        biases << (network.sum_frac - network.formats.weight.frac)
    )


def _activate(network: Network, junction: Junction, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Exact sums (k, right) to activations of the right layer's format."""
    right = network.formats.right(junction)
    if junction.activation == "sigmoid":
        index = table_input(right)
        place = saturate(rescale(sums, network.sum_frac, index.frac), index)
        return sigmoid_table(right)[place & ((1 << index.width) - 1)]  # the table is in two's-complement order
    activations = saturate(rescale(sums, network.sum_frac, right.frac), right)
    return activations.clip(min=0) if junction.activation == "relu" else activations
