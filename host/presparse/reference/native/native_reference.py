"""The reference in C: the bits of `presparse.reference.pytorch`, which it is tested against, about ten times as fast.

It exists for training runs of hundreds of thousands of samples; what a board computes is written down, to be read,
in `presparse.reference.pytorch`.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from presparse.contract.activation import derivative_frac, derivative_table, sigmoid_table, table_input
from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.formats import signed_width
from presparse.contract.network import Activation, Junction
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.device.acceptance import check_model, check_samples
from presparse.model import Model
from presparse.reference.native.compiler import compile_library

_SOURCE = Path(__file__).parent / "blocks.c"
_ACTIVATIONS: tuple[Activation, ...] = ("relu", "sigmoid", "identity")
"""In the order of blocks.c."""
_AT_ONCE = 4096
"""Samples between two places where Ctrl-C is let through."""


class NativeReference:
    """One board's weights and pipeline, as `presparse.reference.pytorch.Reference`.

    Raises ModelError if the model is of another network, PatternError if its pattern clashes on the
    build's lanes, CompilerError without a C compiler. One instance belongs to one thread at a time.
    """

    def __init__(self, build: Build, model: Model) -> None:
        check_model(build, model)
        self.build = build
        self._template = model
        self._arrays: list[NDArray[np.generic]] = []
        """Keeps alive what C points to."""
        self._weights = [self._kept(weights, np.int32) for weights in model.weights]
        self._biases = [self._kept(biases, np.int32) for biases in model.biases]
        wide = edge_bits(build, model) > 32
        self._run = _library("int64_t" if wide else "int32_t").board_run
        self._run.restype = ctypes.c_int64
        self._run.argtypes = [ctypes.c_void_p, ctypes.c_int64, *[ctypes.c_void_p] * 5]
        self._board = self._make_board(np.int64 if wide else np.int32)
        self._counted_from = self._counts()

    def run(self, samples: Samples) -> NDArray[np.int64]:
        """Start one block per sample; scores (m, N_L) of the predictions that came out, in order.

        Raises FeatureError, before anything is computed, for a sample that the build cannot take.
        """
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
            weights=tuple(weights.astype(np.int64) for weights in self._weights),
            biases=tuple(biases.astype(np.int64) for biases in self._biases),
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

    def _blocks(self, samples: Samples) -> NDArray[np.int64]:
        scores = self._scores(len(samples)).astype(np.int32)
        arrays = (
            np.ascontiguousarray(samples.kinds, dtype=np.uint8),
            np.ascontiguousarray(samples.rates, dtype=np.uint8),
            np.ascontiguousarray(samples.labels, dtype=np.uint16),
            np.ascontiguousarray(samples.features, dtype=np.int32),
            scores,
        )
        count = self._run(ctypes.byref(self._board), len(samples), *(array.ctypes.data for array in arrays))
        return scores[:count].astype(np.int64)

    def _scores(self, count: int) -> NDArray[np.int64]:
        """Room for the scores of `count` predictions: in a block at most one comes out."""
        return np.zeros((count, self.build.network.layers[-1]), dtype=np.int64)

    def _kept(self, array: NDArray[np.integer], dtype: type[np.generic]) -> NDArray[np.generic]:
        """A copy that C may point to."""
        copy = np.array(array, dtype=dtype, order="C")
        self._arrays.append(copy)
        return copy

    def _pointer(self, array: NDArray[np.integer], dtype: type[np.generic] = np.int32) -> int:
        return self._kept(array, dtype).ctypes.data

    def _make_board(self, sum_type: type[np.generic]) -> _Board:
        network, slots, count = self.build.network, self.build.schedule.depth + 1, len(self.build.junctions)
        formats, widest = network.formats, max(network.layers)
        self._junctions = (_Junction * count)(*(self._make_junction(j) for j in self.build.junctions))
        return _Board(
            junctions=count,
            slots=slots,
            classes=network.classes,
            widest=widest,
            operand_shift=formats.operand_shift,
            one=formats.output.one,
            error_drop=formats.output.frac - formats.delta.frac,
            step_drop=_step_drop(self.build),
            bias_drop=formats.delta.frac - formats.weight.frac,
            weight_low=formats.weight.min,
            weight_high=formats.weight.max,
            delta_low=formats.delta.min,
            delta_high=formats.delta.max,
            junction=self._junctions,
            kinds=self._pointer(np.full(slots, SampleKind.FLUSH), np.uint8),
            rates=self._pointer(np.zeros(slots, dtype=np.int64), np.uint8),
            labels=self._pointer(np.zeros(slots, dtype=np.int64)),
            activations=self._pointer(np.zeros((slots, count + 1, widest), dtype=np.int64)),
            derivatives=self._pointer(np.zeros((slots, count, widest), dtype=np.int64)),
            deltas=self._pointer(np.zeros((slots, count, widest), dtype=np.int64)),
            sums=self._pointer(np.zeros(widest, dtype=np.int64), sum_type),
        )

    def _make_junction(self, j: Junction) -> _Junction:
        network, index = self.build.network, j.index - 1
        formats, right = network.formats, network.formats.right(j)
        times = self.build.schedule.junctions[index]
        rounded = table_input(right) if j.activation == "sigmoid" else right
        tables = (sigmoid_table(right), derivative_table(right)) if j.activation == "sigmoid" else None
        return _Junction(
            left=j.left,
            right=j.right,
            in_degree=j.in_degree,
            activation=_ACTIVATIONS.index(j.activation),
            forward=times.forward,
            update=times.update,
            sum_shift=network.sum_frac - network.product_frac,
            bias_shift=network.sum_frac - formats.weight.frac,
            activation_drop=network.sum_frac - rounded.frac,
            activation_low=0 if j.activation == "relu" else rounded.min,
            activation_high=rounded.max,
            delta_drop=self._delta_drop(index) if index else 0,
            source=self._pointer(self._template.left[index]),
            weights=self._weights[index].ctypes.data,
            operands=self._pointer(self._template.weights[index] >> formats.operand_shift),
            biases=self._biases[index].ctypes.data,
            table=self._pointer(tables[0]) if tables else None,
            slopes=self._pointer(tables[1]) if tables else None,
        )

    def _delta_drop(self, index: int) -> int:
        """Bits dropped from junction `index` + 1's delta sums times the derivatives of its left neurons."""
        network, left = self.build.network, self.build.junctions[index - 1]
        right = network.formats.right(left)
        return network.delta_sum_frac + derivative_frac(left.activation, right) - network.formats.delta.frac


@cache
def _library(sum_type: str) -> ctypes.CDLL:
    """blocks.c with sums of this type: compiled once in a process, which never unloads it."""
    return compile_library(_SOURCE, defines=[f"SUM={sum_type}"])


def edge_bits(build: Build, model: Model) -> int:
    """Bits, sign included, that hold every sum and product of edges that blocks.c computes for this pattern."""
    network, formats = build.network, build.network.formats
    step_width = formats.delta.width + formats.activation.width
    step_drop = _step_drop(build)
    widths = [step_width + max(0, -step_drop - network.rates.least), step_drop + network.rates.most]
    for j, left in zip(build.junctions, model.left, strict=True):
        widths.append(network.sum_width(j))
        if j.index > 1:  # the first has no BP
            edges = int(np.bincount(left.reshape(-1)).max())  # of the left neuron that has most
            total = edges * formats.operand.min * formats.delta.min
            widths.append(signed_width(-total, total))
    return max(widths) + 1  # a weight, or half an LSB, is added


def _step_drop(build: Build) -> int:
    """Bits dropped from delta times activation at rate 1."""
    formats = build.network.formats
    return formats.delta.frac + formats.activation.frac - formats.weight.frac


class _Junction(ctypes.Structure):
    """`Junction` of blocks.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("left", "right", "in_degree", "activation", "forward", "update")),
        *((name, ctypes.c_int32) for name in ("sum_shift", "bias_shift", "activation_drop")),
        *((name, ctypes.c_int32) for name in ("activation_low", "activation_high", "delta_drop")),
        *((name, ctypes.c_void_p) for name in ("source", "weights", "operands", "biases", "table", "slopes")),
    )


class _Board(ctypes.Structure):
    """`Board` of blocks.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("junctions", "slots", "classes", "widest", "operand_shift", "one")),
        *((name, ctypes.c_int32) for name in ("error_drop", "step_drop", "bias_drop", "weight_low", "weight_high")),
        *((name, ctypes.c_int32) for name in ("delta_low", "delta_high")),
        ("junction", ctypes.POINTER(_Junction)),
        *((name, ctypes.c_void_p) for name in ("kinds", "rates", "labels", "activations", "derivatives", "deltas")),
        ("sums", ctypes.c_void_p),
        ("blocks", ctypes.c_int64),
        ("scored", ctypes.c_int64 * len(SampleKind)),
        *((name, ctypes.c_int64) for name in ("correct", "saturated_activation", "saturated_weight")),
        ("saturated_delta", ctypes.c_int64),
    )
