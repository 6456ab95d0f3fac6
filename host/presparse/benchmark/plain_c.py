"""The baseline in plain C: sparse SGD, float32, one sample at a time, on one core; checked before it is timed."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.rounds import Trainer
from presparse.benchmark.workload import parts
from presparse.contract.network import Activation
from presparse.contract.samples import Samples
from presparse.model import Model
from presparse.reference.native.compiler import compile_library

RATE = 2.0**-4
TOLERANCE = 1e-4
"""Largest difference of a weight from float64 after the checked samples."""
CHECKED = 64
_SOURCE = Path(__file__).parent / "sgd.c"
_ACTIVATIONS: tuple[Activation, ...] = ("relu", "sigmoid", "identity")
"""In the order of sgd.c."""

Weights = tuple[list[NDArray[np.floating]], list[NDArray[np.floating]]]
"""Weights (right, in_degree) and biases (right,), per junction."""


class PlainC:
    """The model's network in floating point, trained by sgd.c. Raises CompilerError."""

    def __init__(self, model: Model) -> None:
        weight = model.network.formats.weight
        self.weights = [weight.decode(w).astype(np.float32) for w in model.weights]
        self.biases = [weight.decode(b).astype(np.float32) for b in model.biases]
        self._arrays: list[NDArray[np.generic]] = []
        """Keeps alive what C points to."""
        self._layers = (_Layer * len(model.network.junctions))()
        for layer, j, left, weights, biases in zip(
            self._layers, model.network.junctions, model.left, self.weights, self.biases, strict=True
        ):
            layer.left, layer.right, layer.in_degree = j.left, j.right, j.in_degree
            layer.activation = _ACTIVATIONS.index(j.activation)
            layer.source = self._pointer(left.astype(np.int32))
            layer.weights, layer.biases = weights.ctypes.data, biases.ctypes.data
            layer.inputs, layer.activations, layer.deltas, layer.sums = (
                self._pointer(np.zeros(size, dtype=np.float32)) for size in (j.edges, j.right, j.right, j.left)
            )
        self._sgd = compile_library(_SOURCE).sgd
        self._sgd.restype = None
        self._sgd.argtypes = [ctypes.c_void_p, ctypes.c_int32, *[ctypes.c_void_p] * 2, ctypes.c_int64, ctypes.c_float]

    def train(self, features: NDArray[np.float32], labels: NDArray[np.int32]) -> None:
        """One step per row of features (k, N_0), contiguous, with labels (k,)."""
        count = len(self._layers)
        self._sgd(self._layers, count, features.ctypes.data, labels.ctypes.data, len(labels), RATE)

    def _pointer(self, array: NDArray[np.generic]) -> int:
        self._arrays.append(array)
        return array.ctypes.data


def plain_c(model: Model, samples: Samples) -> Trainer:
    """Trains `samples` over and over. Raises CompilerError, and BenchmarkError if it computes something else."""
    features = model.network.formats.activation.decode(samples.features).astype(np.float32)
    labels = samples.labels.astype(np.int32)
    check(PlainC(model), model, features[:CHECKED], labels[:CHECKED])
    program = PlainC(model)

    def train(count: int) -> None:
        for part in parts(len(labels), count, len(labels)):
            program.train(features[part], labels[part])

    return train


def check(program: PlainC, model: Model, features: NDArray[np.float32], labels: NDArray[np.int32]) -> None:
    """Train `program`, fresh from `model`, and numpy in float64: a compiler that drops work is found out.

    Raises BenchmarkError if a weight differs by more than `TOLERANCE`, or if none has moved by more than that.
    """
    program.train(features, labels)
    found = program.weights, program.biases
    check_moved(f"plain C, after {len(labels)} samples,", found, model, numpy_sgd(model, features, labels))


def check_moved(trained: str, found: Weights, model: Model, wanted: Weights) -> None:
    """Weights and biases that a program has found from `model` on; `trained` says which program, and how long.

    Raises BenchmarkError if one differs by more than `TOLERANCE` from those wanted, or no weight has moved by more.
    """
    pairs = [*zip(found[0], wanted[0], strict=True), *zip(found[1], wanted[1], strict=True)]
    worst = max(float(np.abs(own - right).max()) for own, right in pairs)
    decode = model.network.formats.weight.decode
    moved = max(float(np.abs(own - decode(w)).max()) for own, w in zip(found[0], model.weights, strict=True))
    if not worst <= TOLERANCE < moved:
        raise BenchmarkError(
            f"{trained} differs from float64 by {worst:.2g} and has moved its weights by {moved:.2g}; at most "
            f"{TOLERANCE:g}, and more than that, are right: try another C compiler"
        )


def numpy_sgd(model: Model, features: NDArray[np.floating], labels: NDArray[np.integer], *, batch: int = 1) -> Weights:
    """The same steps in numpy, float64; of a batch, the mean of its samples' steps."""
    network = model.network
    weights: list[NDArray[np.floating]] = [network.formats.weight.decode(w) for w in model.weights]
    biases: list[NDArray[np.floating]] = [network.formats.weight.decode(b) for b in model.biases]
    for begin in range(0, len(labels), batch):
        steps = [np.zeros_like(w) for w in weights], [np.zeros_like(b) for b in biases]
        for sample, label in zip(
            features[begin : begin + batch].astype(np.float64), labels[begin : begin + batch], strict=True
        ):
            gradients = _gradients(model, weights, biases, sample, int(label))
            for sums, one in zip(steps, gradients, strict=True):
                for n, gradient in enumerate(one):
                    sums[n] += gradient
        weights = [w - RATE / batch * step for w, step in zip(weights, steps[0], strict=True)]
        biases = [b - RATE / batch * step for b, step in zip(biases, steps[1], strict=True)]
    return weights, biases


def _gradients(
    model: Model,
    weights: list[NDArray[np.floating]],
    biases: list[NDArray[np.floating]],
    sample: NDArray[np.floating],
    label: int,
) -> Weights:
    """Of one sample's loss, by weights and biases."""
    network = model.network
    inputs, value = [], sample
    for j, left, w, b in zip(network.junctions, model.left, weights, biases, strict=True):
        inputs.append(value)
        sums = (w * value[left]).sum(axis=1) + b
        value = np.maximum(sums, 0) if j.activation == "relu" else sums
        value = 1 / (1 + np.exp(-sums)) if j.activation == "sigmoid" else value
    delta = value - (np.arange(len(value)) == label)
    by_weights, by_biases = [], []
    for n in reversed(range(len(weights))):
        left, value = model.left[n], inputs[n]
        by_weights.append(delta[:, None] * value[left])
        by_biases.append(delta)
        if n:
            total = np.zeros(len(value))
            np.add.at(total, left, weights[n] * delta[:, None])
            activation = network.activations[n - 1]
            slope = value > 0 if activation == "relu" else value * (1 - value) if activation == "sigmoid" else 1
            delta = total * slope
    return by_weights[::-1], by_biases[::-1]


class _Layer(ctypes.Structure):
    """`Layer` of sgd.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("left", "right", "in_degree", "activation")),
        *((name, ctypes.c_void_p) for name in ("source", "weights", "biases")),
        *((name, ctypes.c_void_p) for name in ("inputs", "activations", "deltas", "sums")),
    )
