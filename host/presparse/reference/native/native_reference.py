"""The reference in C: the bits of `presparse.reference.pytorch`, which it is tested against, a thousand times as fast.

It exists for training runs of millions of samples; what a board computes is written down, to be read,
in `presparse.reference.pytorch`.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from presparse.contract.activation import derivative_table, sigmoid_table, table_input
from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.network import Activation, Junction
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.device.acceptance import check_model, check_samples
from presparse.model import Model
from presparse.reference.native.compiler import compile_library
from presparse.reference.native.layout import KINDS, Layout, Vectors, layouts
from presparse.reference.native.widths import bias_step_drop, delta_drop, delta_split, is_narrow, step_drop, sum_bits

_SOURCE = Path(__file__).parent / "board.c"
_ACTIVATIONS: tuple[Activation, ...] = ("relu", "sigmoid", "identity")
"""In the order of board.c."""
_LINE = 64
"""Bytes of a cache line, and of the widest vector."""
_AT_ONCE = 4096
"""Samples between two places where Ctrl-C is let through."""


class NativeReference:
    """One board's weights and pipeline, as `presparse.reference.pytorch.Reference`.

    Raises ModelError if the model is of another network, PatternError if its pattern clashes on the
    build's lanes, CompilerError without a C compiler. One instance belongs to one thread at a time.
    """

    def __init__(self, build: Build, model: Model, *, processor: str = "native") -> None:
        check_model(build, model)
        self.build = build
        self._template = model
        self._arrays: list[NDArray[np.generic]] = []
        """Keeps alive what C points to."""
        narrow = is_narrow(build, model)
        self._edge = np.int16 if narrow else np.int32
        self._sum = np.int32 if narrow or sum_bits(build, model) <= 32 else np.int64
        self._library = library = _library(narrow, self._sum.__name__, processor)
        vectors = Vectors(
            right=library.vector_right(),
            tile=library.vector_tile(),
            own_banks=bool(library.vector_own_banks()),
            packed=bool(library.vector_packed()),
            near_inputs=library.vector_near_inputs(),
        )
        self._layouts = layouts(model, vectors)
        self._weights = [self._vectors(weights, at) for weights, at in zip(model.weights, self._layouts, strict=True)]
        self._biases = [self._neurons(biases, at) for biases, at in zip(model.biases, self._layouts, strict=True)]
        self._board = self._make_board()
        self._counted_from = self._counts()

    def run(self, samples: Samples) -> NDArray[np.int64]:
        """Start one block per sample; scores (m, N_L) of the predictions that came out, in order.

        Raises FeatureError, before anything is computed, for a sample that the build cannot take.
        """
        if not self._takes(samples):
            check_samples(self.build, samples)
        parts = [samples[first : first + _AT_ONCE] for first in range(0, len(samples), _AT_ONCE)]
        return np.concatenate([self._blocks(part) for part in parts]) if parts else self._scores(0)

    def flush(self) -> NDArray[np.int64]:
        """Drain the pipeline with `schedule.depth` empty blocks; scores as from `run`."""
        depth = self.build.schedule.depth
        empty = Samples.predict(np.zeros((depth, self.build.network.layers[0]), dtype=np.int64))
        return self._blocks(Samples(np.full(depth, SampleKind.FLUSH), empty.features, empty.labels, empty.rates))

    @property
    def counters(self) -> dict[Counter, int]:
        """The core's counters, less those that depend on timing; final once the pipeline is flushed. Can be set."""
        return {counter: count - self._counted_from[counter] for counter, count in self._counts().items()}

    @counters.setter
    def counters(self, counters: dict[Counter, int]) -> None:
        self._counted_from = {counter: count - counters[counter] for counter, count in self._counts().items()}

    def model(self) -> Model:
        """The current weights and biases."""
        return replace(
            self._template,
            weights=tuple(
                w[at.edge_places].astype(np.int64) for w, at in zip(self._weights, self._layouts, strict=True)
            ),
            biases=tuple(
                b[at.right_places].astype(np.int64) for b, at in zip(self._biases, self._layouts, strict=True)
            ),
        )

    def _counts(self) -> dict[Counter, int]:
        """Since this object was made; the C code finds its slots by the number of the block, so it goes on."""
        board = self._board
        return {
            "blocks": board.blocks,
            "trained": board.scored[SampleKind.TRAIN],
            "predicted": board.scored[SampleKind.PREDICT],
            "evaluated": board.scored[SampleKind.EVALUATE],
            "correct": board.correct,
            "saturated_activation": board.saturated_activation,
            "saturated_weight": board.saturated_weight,
            "saturated_delta": board.saturated_delta,
        }

    def _takes(self, samples: Samples) -> bool:
        """A quick answer for features as they usually come; False: they are to be looked at closely."""
        if samples.features.dtype != self._edge or samples.features.shape[1:] != self.build.network.layers[:1]:
            return False
        arrays = self._inputs(samples)
        return bool(self._library.board_takes(*self._arguments(samples, arrays)))

    def _blocks(self, samples: Samples) -> NDArray[np.int64]:
        results = np.count_nonzero(samples.kinds == SampleKind.PREDICT) + self.build.schedule.depth
        scores = np.empty((results, self.build.network.layers[-1]), dtype=np.int32)
        arrays = self._inputs(samples)
        count = self._library.board_run(*self._arguments(samples, arrays), scores.ctypes.data)
        return scores[:count].astype(np.int64)

    def _inputs(self, samples: Samples) -> tuple[NDArray[np.generic], ...]:
        """As C takes them: the same arrays, if they are so already."""
        return (
            np.ascontiguousarray(samples.kinds, dtype=np.uint8),
            np.ascontiguousarray(samples.rates, dtype=np.uint8),
            np.ascontiguousarray(samples.labels, dtype=np.uint16),
            np.ascontiguousarray(samples.features, dtype=self._edge),
        )

    def _arguments(self, samples: Samples, arrays: tuple[NDArray[np.generic], ...]) -> tuple[Any, ...]:
        return (ctypes.byref(self._board), len(samples), *(array.ctypes.data for array in arrays))

    def _scores(self, count: int) -> NDArray[np.int64]:
        return np.zeros((count, self.build.network.layers[-1]), dtype=np.int64)

    def _kept(self, array: NDArray[np.integer], dtype: type[np.generic]) -> NDArray[np.generic]:
        """A copy that C may point to; vectors lie within a cache line."""
        space = np.zeros(array.size * np.dtype(dtype).itemsize + _LINE, dtype=np.uint8)
        begin = -space.ctypes.data % _LINE
        copy = space[begin : begin + array.size * np.dtype(dtype).itemsize].view(dtype).reshape(array.shape)
        copy[...] = array
        self._arrays.append(copy)
        return copy

    def _pointer(self, array: NDArray[np.integer], dtype: type[np.generic] = np.int32) -> int:
        return self._kept(array, dtype).ctypes.data

    def _room(self, *shape: int, dtype: type[np.generic]) -> int:
        return self._pointer(np.zeros(shape, dtype=np.int8), dtype)

    def _vectors(self, weights: NDArray[np.int64], layout: Layout) -> NDArray[np.generic]:
        """(right, in_degree) in their places."""
        placed = np.zeros(layout.size, dtype=np.int64)
        placed[layout.edge_places] = weights
        return self._kept(placed, self._edge)

    def _neurons(self, biases: NDArray[np.int64], layout: Layout) -> NDArray[np.generic]:
        """(right,) in their places."""
        placed = np.zeros(layout.right, dtype=np.int64)
        placed[layout.right_places] = biases
        return self._kept(placed, self._sum)

    def _make_board(self) -> _Board:
        network, slots, count = self.build.network, self._slots, len(self.build.junctions)
        formats = network.formats
        most = max(max(layout.right, layout.inputs) for layout in self._layouts)
        self._junctions = (_Junction * count)(*(self._make_junction(j) for j in self.build.junctions))
        return _Board(
            junctions=count,
            slots=slots,
            classes=network.classes,
            outputs=network.layers[-1],
            operand_shift=formats.operand_shift,
            one=formats.output.one,
            error_drop=formats.output.frac - formats.delta.frac,
            step_drop=step_drop(self.build),
            bias_drop=bias_step_drop(self.build),
            weight_low=formats.weight.min,
            weight_high=formats.weight.max,
            delta_low=formats.delta.min,
            delta_high=formats.delta.max,
            delta_room=16 - formats.delta.width,
            activation_low=formats.activation.min,
            activation_high=formats.activation.max,
            rate_low=network.rates.least if self.build.training else 1,
            rate_high=network.rates.most if self.build.training else 0,
            junction=self._junctions,
            kinds=self._pointer(np.full(slots, SampleKind.FLUSH), np.uint8),
            rates=self._room(slots, dtype=np.uint8),
            labels=self._room(slots, dtype=np.int32),
            output=self._pointer(self._layouts[-1].right_places),
            output_neurons=self._pointer(self._output_neurons(), self._edge),
            scaled=self._room(2 * most, dtype=self._edge),
            spare=self._room(most, dtype=self._edge),
            spare_too=self._room(most, dtype=self._edge),
            sums=self._room(most, dtype=self._sum),
            left_sums=self._room(most, dtype=self._sum),
        )

    def _output_neurons(self) -> NDArray[np.int64]:
        """(right,): -1, and 0 in places where there is no neuron."""
        neurons = np.zeros(self._layouts[-1].right, dtype=np.int64)
        neurons[self._layouts[-1].right_places] = -1
        return neurons

    @property
    def _slots(self) -> int:
        return self.build.schedule.depth + 1

    def _make_junction(self, j: Junction) -> _Junction:
        network, index, layout = self.build.network, j.index - 1, self._layouts[j.index - 1]
        formats, right = network.formats, network.formats.right(j)
        times = self.build.schedule.junctions
        rounded = table_input(right) if j.activation == "sigmoid" else right
        table = sigmoid_table(right) | derivative_table(right) << 16 if j.activation == "sigmoid" else None
        places = layout.places
        return _Junction(
            left=layout.inputs,
            right=layout.right,
            groups=layout.groups,
            tiles=layout.tiles,
            tile=layout.tile,
            pairs=layout.pairs,
            kind=KINDS.index(layout.kind),
            backpropagates=j.index > 1,
            activation=_ACTIVATIONS.index(j.activation),
            forward=times[index].forward,
            update=times[index].update,
            fused=j.is_output or times[index].update > times[index + 1].update,
            sum_shift=network.sum_frac - network.product_frac,
            bias_shift=network.sum_frac - formats.weight.frac,
            activation_drop=network.sum_frac - rounded.frac,
            activation_low=0 if j.activation == "relu" else rounded.min,
            activation_high=rounded.max,
            delta_drop=delta_drop(self.build, j) if index else 0,
            delta_split=delta_split(self.build, j, self._template.left[index]) if index else 0,
            largest=formats.weight.max,
            first=self._pointer(layout.first),
            index=self._pointer(layout.index, self._edge),
            holes=layout.holes,
            back=self._pointer(layout.back) if index and layout.kind != "same" else None,
            weights=self._weights[index].ctypes.data,
            biases=self._biases[index].ctypes.data,
            inputs=self._room(self._slots, layout.inputs, dtype=self._edge),
            slopes=self._room(self._slots, layout.right, dtype=self._edge),
            deltas=self._room(self._slots, layout.right, dtype=self._edge),
            places=self._pointer(places) if places is not None else None,
            inputs_count=layout.before.right if layout.before else j.left,
            rows=0 if layout.before else layout.transposed_rows,
            table=self._pointer(table) if table is not None else None,
        )


@cache
def _library(narrow: bool, sum_type: str, processor: str) -> ctypes.CDLL:
    """board.c for edges of 16 bits or 32 and sums of this type: compiled once in a process, which never unloads it."""
    types = ["NARROW", "Edge=int16_t"] if narrow else ["Edge=int32_t"]
    library = compile_library(_SOURCE, defines=[*types, f"Sum={sum_type}_t"], processor=processor)
    library.board_takes.argtypes = [ctypes.c_void_p, ctypes.c_int64, *[ctypes.c_void_p] * 4]
    library.board_run.argtypes = [*library.board_takes.argtypes, ctypes.c_void_p]
    library.board_run.restype = ctypes.c_int64
    return library


class _Junction(ctypes.Structure):
    """`Junction` of board.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("left", "right", "groups", "tiles", "tile", "pairs", "kind")),
        *((name, ctypes.c_int32) for name in ("backpropagates", "activation", "forward", "update", "fused")),
        *((name, ctypes.c_int32) for name in ("sum_shift", "bias_shift", "activation_drop")),
        *((name, ctypes.c_int32) for name in ("activation_low", "activation_high", "delta_drop", "delta_split")),
        ("checked", ctypes.c_int32),
        ("largest", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("first", "index")),
        ("holes", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("back", "weights", "biases")),
        *((name, ctypes.c_void_p) for name in ("inputs", "slopes", "deltas", "places")),
        *((name, ctypes.c_int32) for name in ("inputs_count", "rows")),
        ("table", ctypes.c_void_p),
    )


class _Board(ctypes.Structure):
    """`Board` of board.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("junctions", "slots", "classes", "outputs", "operand_shift", "one")),
        *((name, ctypes.c_int32) for name in ("error_drop", "step_drop", "bias_drop", "weight_low", "weight_high")),
        *(
            (name, ctypes.c_int32)
            for name in ("delta_low", "delta_high", "delta_room", "activation_low", "activation_high")
        ),
        *((name, ctypes.c_int32) for name in ("rate_low", "rate_high")),
        ("junction", ctypes.POINTER(_Junction)),
        *((name, ctypes.c_void_p) for name in ("kinds", "rates", "labels", "output")),
        ("output_neurons", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in ("scaled", "spare", "spare_too", "sums", "left_sums")),
        ("blocks", ctypes.c_int64),
        ("scored", ctypes.c_int64 * len(SampleKind)),
        *((name, ctypes.c_int64) for name in ("correct", "saturated_activation", "saturated_weight")),
        ("saturated_delta", ctypes.c_int64),
    )
