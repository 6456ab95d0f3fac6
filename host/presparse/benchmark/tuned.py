"""The baseline that counts: float32 as fast as a PC computes it, sample by sample or in batches, on one core or on all.

It is checked before it is timed. Samples lie in memory as the program reads them, before the time begins.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.plain_c import CHECKED, RATE, TOLERANCE, check_moved, numpy_sgd
from presparse.benchmark.rounds import Trainer
from presparse.benchmark.workload import parts
from presparse.contract.network import Activation
from presparse.contract.samples import Samples
from presparse.model import Model
from presparse.reference.native.compiler import compile_library
from presparse.reference.native.layout import KINDS, Vectors, layouts

_SOURCE = Path(__file__).parent / "tuned.c"
_ACTIVATIONS: tuple[Activation, ...] = ("relu", "sigmoid", "identity")
"""In the order of tuned.c."""
_Number = TypeVar("_Number", bound=np.generic)
_LINE = 64
"""Bytes of a cache line."""


class Tuned:
    """The model's network in floating point. `processor` is a name that the compiler's -march takes.

    Raises CompilerError.
    """

    def __init__(self, model: Model, *, batch: int = 1, threads: int = 1, processor: str = "native") -> None:
        self._model = model
        self._batch, self._threads = batch, threads
        self._library = library = _library(processor)
        vectors = Vectors(
            right=library.vector_right(),
            tile=library.vector_tile(),
            edges=1,
            near_inputs=library.vector_near_inputs(),
        )
        self._layouts = layouts(model, vectors)
        self._arrays: list[NDArray[np.generic]] = []
        """Keeps alive what C points to."""
        decode = model.network.formats.weight.decode
        self._weights = [
            self._spread(decode(weights), layout.size, layout.edge_places)
            for weights, layout in zip(model.weights, self._layouts, strict=True)
        ]
        self._biases = [
            self._spread(decode(biases), layout.right, layout.right_places)
            for biases, layout in zip(model.biases, self._layouts, strict=True)
        ]
        self._layers = [self._thread_layers() for _ in range(threads)]
        self._pointers = (ctypes.c_void_p * threads)(*(ctypes.addressof(layers) for layers in self._layers))
        last = self._layouts[-1]
        self._outputs = self._kept(last.right_places, np.int32)
        self._neurons = self._spread(np.ones(len(last.right_places)), last.right, last.right_places)
        self._pool = ThreadPoolExecutor(threads)

    @property
    def weights(self) -> list[NDArray[np.floating]]:
        """(right, in_degree) per junction."""
        return [w[layout.edge_places] for w, layout in zip(self._weights, self._layouts, strict=True)]

    @property
    def biases(self) -> list[NDArray[np.floating]]:
        """(right,) per junction."""
        return [b[layout.right_places] for b, layout in zip(self._biases, self._layouts, strict=True)]

    def laid_out(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Features (k, N_0) as the program reads them: (k, places of inputs)."""
        first = self._layouts[0]
        placed = self._kept(np.zeros((len(features) + 1, first.inputs)), np.float32)  # one may be read ahead
        places = np.arange(features.shape[1]) if first.places is None else first.places
        placed[:-1, places] = features
        return placed[:-1]

    def train(self, features: NDArray[np.float32], labels: NDArray[np.int32]) -> None:
        """One step per batch of features, laid out, and labels (k,), contiguous."""
        arrays = self._outputs.ctypes.data, self._neurons.ctypes.data, features.ctypes.data, labels.ctypes.data
        count, layers = len(labels), len(self._layouts)
        if self._batch == 1:
            self._library.train(self._layers[0], layers, *arrays, count, RATE)
            return
        arrived = ctypes.c_int(0)
        rate = RATE / self._batch

        def work(thread: int) -> None:
            self._library.train_batches(
                self._pointers,
                thread,
                self._threads,
                ctypes.byref(arrived),
                layers,
                *arrays,
                count,
                self._batch,
                rate,
            )

        list(self._pool.map(work, range(self._threads)))

    def infer(self, features: NDArray[np.float32]) -> NDArray[np.int32]:
        """Classes (k,) of features, laid out; every thread takes its share of them."""
        found = np.empty(len(features), dtype=np.int32)
        bounds = [len(features) * thread // self._threads for thread in range(self._threads + 1)]

        def work(thread: int) -> None:
            begin, end = bounds[thread], bounds[thread + 1]
            self._library.infer(
                self._layers[thread],
                len(self._layouts),
                self._outputs.ctypes.data,
                self._model.network.classes,
                features[begin:].ctypes.data,
                found[begin:].ctypes.data,
                end - begin,
            )

        if self._threads == 1:
            work(0)
        else:
            list(self._pool.map(work, range(self._threads)))
        return found

    def _thread_layers(self) -> ctypes.Array[_Layer]:
        """Weights are everyone's, the rest a thread's own."""
        layers = (_Layer * len(self._layouts))()
        for index, (layer, layout) in enumerate(zip(layers, self._layouts, strict=True)):
            layer.left, layer.right, layer.groups, layer.tiles = (
                layout.inputs,
                layout.right,
                layout.groups,
                layout.tiles,
            )
            layer.tile, layer.edges, layer.kind = layout.tile, layout.pairs, KINDS.index(layout.kind)
            layer.activation = _ACTIVATIONS.index(layout.junction.activation)
            layer.first, far = self._ints(layout.first), layout.kind == "far"
            layer.numbers = self._ints(layout.index) if far else None
            layer.bytes = None if far else self._kept(layout.index, np.int8).ctypes.data
            layer.back = self._ints(layout.back) if index else None
            layer.places = self._ints(layout.places) if layout.places is not None else None
            layer.inputs_count = layout.before.right if layout.before else layout.junction.left
            layer.weights, layer.biases = self._weights[index].ctypes.data, self._biases[index].ctypes.data
            layer.gradients, layer.bias_gradients = layer.weights, layer.biases
            if self._batch > 1:
                layer.gradients, layer.bias_gradients = self._room(layout.size), self._room(layout.right)
            layer.inputs, layer.outputs, layer.steps = (
                self._room(size) for size in (layout.inputs, layout.right, layout.right)
            )
            layer.left_sums = self._room(layout.inputs + layout.before.right) if layout.before else None
        return layers

    def _spread(self, values: NDArray[np.floating], size: int, places: NDArray[np.int64]) -> NDArray[np.float32]:
        spread = np.zeros(size)
        spread[places] = values
        return self._kept(spread, np.float32)

    def _kept(self, array: NDArray[np.generic], dtype: type[_Number]) -> NDArray[_Number]:
        """A copy that C may point to; vectors lie within a cache line."""
        space = np.zeros(array.size * np.dtype(dtype).itemsize + _LINE, dtype=np.uint8)
        begin = -space.ctypes.data % _LINE
        copy = space[begin : begin + array.size * np.dtype(dtype).itemsize].view(dtype).reshape(array.shape)
        copy[...] = array
        self._arrays.append(copy)
        return copy

    def _ints(self, array: NDArray[np.int64]) -> int:
        return self._kept(array, np.int32).ctypes.data

    def _room(self, size: int) -> int:
        return self._kept(np.zeros(size), np.float32).ctypes.data


def tuned_training(model: Model, samples: Samples, *, batch: int, threads: int) -> Trainer:
    """Trains `samples` over and over. Raises CompilerError, and BenchmarkError if it computes something else."""
    features = model.network.formats.activation.decode(samples.features)
    labels = samples.labels.astype(np.int32)
    check_training(Tuned(model, batch=batch, threads=threads), model, features[:CHECKED], labels[:CHECKED], batch)
    program = Tuned(model, batch=batch, threads=threads)
    laid_out = program.laid_out(features)

    def train(count: int) -> None:
        for part in parts(len(labels), count, len(labels)):
            program.train(laid_out[part], labels[part])

    return train


def tuned_inference(model: Model, samples: Samples, *, threads: int) -> Trainer:
    """Predicts `samples` over and over. Raises CompilerError, and BenchmarkError if it computes something else."""
    features = model.network.formats.activation.decode(samples.features)
    program = Tuned(model, threads=threads)
    laid_out = program.laid_out(features)
    check_inference(program, model, features[:CHECKED])

    def infer(count: int) -> None:
        for part in parts(len(features), count, len(features)):
            program.infer(laid_out[part])

    return infer


def check_training(
    program: Tuned, model: Model, features: NDArray[np.floating], labels: NDArray[np.int32], batch: int
) -> None:
    """Train `program`, fresh from `model`, and numpy in float64: a compiler that drops work is found out.

    Raises BenchmarkError if a weight differs by more than `TOLERANCE`, or if none has moved by more than that.
    """
    program.train(program.laid_out(features), labels)
    trained = f"tuned C, after {len(labels)} samples in batches of {batch},"
    found = program.weights, program.biases
    check_moved(trained, found, model, numpy_sgd(model, features, labels, batch=batch))


def check_inference(program: Tuned, model: Model, features: NDArray[np.floating]) -> None:
    """Raises BenchmarkError if a class is not numpy's, where numpy's best score is the best by more than TOLERANCE."""
    decode = model.network.formats.weight.decode
    scores = features.astype(np.float64)
    for j, left, w, b in zip(model.network.junctions, model.left, model.weights, model.biases, strict=True):
        sums = np.einsum("krd,rd->kr", scores[:, left], decode(w)) + decode(b)
        scores = np.maximum(sums, 0) if j.activation == "relu" else sums
        scores = 1 / (1 + np.exp(-sums)) if j.activation == "sigmoid" else scores
    scores = scores[:, : model.network.classes]
    found = program.infer(program.laid_out(features))
    behind = scores.max(axis=1) - np.take_along_axis(scores, found[:, None], axis=1)[:, 0]
    if behind.max() > TOLERANCE:
        raise BenchmarkError(
            f"tuned C predicts class {found[behind.argmax()]} for sample {behind.argmax()}, whose score is "
            f"{behind.max():.2g} below the best in float64; try another C compiler"
        )


@cache
def _library(processor: str) -> ctypes.CDLL:
    """Compiled once in a process, which never unloads it."""
    library = compile_library(_SOURCE, processor=processor)
    pointer, number = ctypes.c_void_p, ctypes.c_int32
    library.train.argtypes = [pointer, number, *[pointer] * 4, ctypes.c_int64, ctypes.c_float]
    library.infer.argtypes = [pointer, number, pointer, number, pointer, pointer, ctypes.c_int64]
    library.train_batches.argtypes = [
        *(pointer, number, number, pointer, number, *[pointer] * 4),
        *(ctypes.c_int64, number, ctypes.c_float),
    ]
    library.train.restype = library.infer.restype = library.train_batches.restype = None
    return library


class _Layer(ctypes.Structure):
    """`Layer` of tuned.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("left", "right", "groups", "tiles", "tile", "edges")),
        *((name, ctypes.c_int32) for name in ("kind", "activation")),
        *((name, ctypes.c_void_p) for name in ("first", "numbers", "bytes", "back", "places")),
        ("inputs_count", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("weights", "biases", "gradients", "bias_gradients")),
        *((name, ctypes.c_void_p) for name in ("inputs", "outputs", "steps", "left_sums")),
    )
