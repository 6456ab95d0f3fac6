"""The reference: what the board computes, bit for bit, on int64 tensors.

Time is counted in blocks, as in `presparse.contract.schedule`: every sample (and every empty sample of a
flush) starts one. In a block, junction i feeds one sample forward, and backpropagates and updates with an
older one, all with the weights that the block before it left.

    block b:   FF of junctions 1 .. L, of samples b - forward_i
               BP and UP of junctions L .. 1, of samples b - update_i; UP's writes show in block b + 1
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from presparse.contract.activation import (
    derivative_frac,
    derivative_table,
    sigmoid_table,
    table_input,
)
from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.formats import rescale, saturate
from presparse.contract.network import Junction, Network
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.device.acceptance import check_model, check_samples
from presparse.model import Model

_COUNTED: tuple[Counter, ...] = (
    "blocks",
    "trained",
    "predicted",
    "evaluated",
    "correct",
    "saturated_activation",
    "saturated_weight",
    "saturated_delta",
)
"""The core's counters that depend on nothing but the order of samples and flushes."""
_COUNTER_OF: dict[SampleKind, Counter] = {
    SampleKind.PREDICT: "predicted",
    SampleKind.TRAIN: "trained",
    SampleKind.EVALUATE: "evaluated",
}
_CHUNK = 1 << 21
"""Numbers in the largest tensor of batched inference (16 MiB)."""


@dataclass(eq=False)
class _Sample:
    """A sample in flight."""

    kind: SampleKind
    label: int
    rate: int
    activations: Tensor
    """(neurons,) of the layer reached: features first, scores in the end."""
    reached: int = 0
    """Junctions that have fed the sample forward."""
    inputs: list[Tensor] = field(default_factory=list)
    """Per junction reached (right, in_degree): the left activation of every edge. Training samples only."""
    derivatives: list[Tensor | None] = field(default_factory=list)
    """Per junction reached (right,); None where it is 1 everywhere. Training samples only."""
    delta: Tensor | None = None
    """(right,) of the junction that updates next. Training samples only."""


class Reference:
    """One board's weights and pipeline.

    Raises ModelError if the model is of another network, PatternError if its pattern clashes on the
    build's lanes. Exact sums fit int64 in every valid network.
    """

    counters: dict[Counter, int]
    """The core's counters, less those that depend on timing; final once the pipeline is flushed."""

    @torch.inference_mode()
    def __init__(self, build: Build, model: Model) -> None:
        network = build.network
        check_model(build, model)
        self.build = build
        self._template = model
        self._junctions = [
            ReferenceJunction(network, junction, left, weights, biases)
            for junction, left, weights, biases in zip(
                build.junctions, model.left, model.weights, model.biases, strict=True
            )
        ]
        self._flight: deque[_Sample | None] = deque([None] * (build.schedule.depth + 1), build.schedule.depth + 1)
        self.counters = dict.fromkeys(_COUNTED, 0)

    @torch.inference_mode()
    def run(self, samples: Samples) -> NDArray[np.int64]:
        """Start one block per sample; scores (m, N_L) of the predictions that came out, in order.

        Raises FeatureError, before anything is computed, for a sample that the build cannot take.
        """
        check_samples(self.build, samples)
        queue = [
            _Sample(SampleKind(kind), label, rate, features)
            for kind, label, rate, features in zip(
                samples.kinds.tolist(),
                samples.labels.tolist(),
                samples.rates.tolist(),
                torch.tensor(samples.features, dtype=torch.int64),
                strict=True,
            )
        ]
        results: list[Tensor] = []
        constant = _constant_stretches(samples.kinds)
        for index, sample in enumerate(queue):
            if sample.reached == 0 and sample.kind != SampleKind.TRAIN and not self._training_in_flight():
                self._forward_batch(queue[index : constant[index]])
            results += self._block(sample)
        return self._stacked(results)

    @torch.inference_mode()
    def flush(self) -> NDArray[np.int64]:
        """Drain the pipeline with `schedule.depth` empty blocks; scores as from `run`."""
        results: list[Tensor] = []
        for _ in range(self.build.schedule.depth):
            results += self._block(None)
        return self._stacked(results)

    @torch.inference_mode()
    def scores(self, features: ArrayLike) -> NDArray[np.int64]:
        """Scores (k, N_L) of encoded features (k, N_0) with the current weights; pipeline and counters untouched."""
        scores, _ = self._scores(torch.tensor(np.asarray(features), dtype=torch.int64))
        return scores.numpy()

    def model(self) -> Model:
        """The current weights and biases."""
        return replace(
            self._template,
            weights=tuple(j.weights.numpy() for j in self._junctions),
            biases=tuple(j.biases.numpy() for j in self._junctions),
        )

    def _block(self, sample: _Sample | None) -> list[Tensor]:
        """One block; the scores of the prediction that comes out, if there is one."""
        times = self.build.schedule.junctions
        self._flight.appendleft(sample)  # so that index d is the sample of d blocks ago
        self.counters["blocks"] += 1
        for index, junction in enumerate(self._junctions):
            arrived = self._flight[times[index].forward]
            if arrived is not None and arrived.reached == index:
                self._forward(junction, arrived)
        if self.build.training:
            for index, junction in reversed(list(enumerate(self._junctions))):
                older = self._flight[times[index].update]
                if older is not None and older.kind == SampleKind.TRAIN:
                    self._learn(index, junction, older)
        out = self._flight[times[-1].forward]
        return [out.activations] if out is not None and out.kind == SampleKind.PREDICT else []

    def _forward(self, junction: ReferenceJunction, sample: _Sample) -> None:
        inputs = junction.gather(sample.activations)
        sample.activations, derivative, saturated = junction.activate(junction.sums(inputs))
        self.counters["saturated_activation"] += saturated
        sample.reached += 1
        if sample.kind == SampleKind.TRAIN:
            sample.inputs.append(inputs)
            sample.derivatives.append(derivative)
        if sample.reached == len(self._junctions):
            self._score(sample)

    def _score(self, sample: _Sample) -> None:
        """The scores are there: compare them with the label, and start the way back."""
        self.counters[_COUNTER_OF[sample.kind]] += 1
        if sample.kind == SampleKind.PREDICT:
            return
        predicted = int(sample.activations[: self.build.network.classes].argmax())  # the lowest, if several are largest
        self.counters["correct"] += predicted == sample.label
        if sample.kind == SampleKind.TRAIN:
            formats = self.build.network.formats
            error = sample.activations.clone()
            error[sample.label] -= formats.output.one
            sample.delta = self._delta(error, formats.output.frac)

    def _learn(self, index: int, junction: ReferenceJunction, sample: _Sample) -> None:
        """BP and UP of one junction; both see the weights of the block before."""
        delta = sample.delta
        assert delta is not None  # the schedule feeds a sample forward before it updates
        if index > 0:
            left = self._junctions[index - 1]
            total = junction.backpropagate(delta)
            derivative = sample.derivatives[index - 1]
            if derivative is not None:
                total = total * derivative
            sample.delta = self._delta(total, self.build.network.delta_sum_frac + left.derivative_frac)
        self.counters["saturated_weight"] += junction.update(delta, sample.inputs[index], sample.rate)

    def _delta(self, value: Tensor, frac: int) -> Tensor:
        """Round and saturate to the delta format, and count."""
        wanted = self.build.network.formats.delta
        rounded = rescale(value, frac, wanted.frac)
        delta = saturate(rounded, wanted)
        self.counters["saturated_delta"] += _changed(rounded, delta)
        return delta

    def _training_in_flight(self) -> bool:
        """Whether some block to come may still change a weight."""
        return any(sample is not None and sample.kind == SampleKind.TRAIN for sample in self._flight)

    def _forward_batch(self, samples: list[_Sample]) -> None:
        """Feed samples forward at once that arrive while no weight changes: it does not matter when they are."""
        scores, saturated = self._scores(torch.stack([sample.activations for sample in samples]))
        self.counters["saturated_activation"] += saturated
        for sample, row in zip(samples, scores, strict=True):
            sample.activations, sample.reached = row, len(self._junctions)
            self._score(sample)

    def _scores(self, features: Tensor) -> tuple[Tensor, int]:
        """Scores (k, N_L) of features (k, N_0), and how many activations saturated."""
        widest = max(j.shape.left + j.shape.right for j in self._junctions)
        rows: list[Tensor] = []
        saturated = 0
        for activations in features.split(max(1, _CHUNK // widest)):
            for junction in self._junctions:
                activations, _, more = junction.activate(junction.batch_sums(activations))
                saturated += more
            rows.append(activations)
        return torch.cat(rows), saturated

    def _stacked(self, results: list[Tensor]) -> NDArray[np.int64]:
        if not results:
            return np.zeros((0, self.build.network.layers[-1]), dtype=np.int64)
        return torch.stack(results).numpy()


class ReferenceJunction:
    """One junction's weights, biases and arithmetic."""

    def __init__(
        self,
        network: Network,
        shape: Junction,
        left: NDArray[np.int64],
        weights: NDArray[np.int64],
        biases: NDArray[np.int64],
    ) -> None:
        self.shape = shape
        self.formats = network.formats
        self.right = network.formats.right(shape)
        self.sum_frac = network.sum_frac
        self.sum_shift = network.sum_frac - network.product_frac
        self.bias_shift = network.sum_frac - network.formats.weight.frac
        self.derivative_frac = derivative_frac(shape.activation, self.right)
        self.update_frac = network.formats.delta.frac + network.formats.activation.frac

        self.left = torch.tensor(left.reshape(-1))
        self.weights = torch.tensor(weights)
        self.biases = torch.tensor(biases)
        self.operands = self.weights >> self.formats.operand_shift  # what FF and BP see; follows `weights`
        if shape.activation == "sigmoid":
            self.table_input = table_input(self.right)
            self.table = torch.tensor(sigmoid_table(self.right))
            self.derivative_table = torch.tensor(derivative_table(self.right))

    def gather(self, activations: Tensor) -> Tensor:
        """(left,) -> (right, in_degree): the left activation of every edge."""
        return activations.index_select(0, self.left).view(self.weights.shape)

    def sums(self, inputs: Tensor) -> Tensor:
        """(right, in_degree) -> (right,) exact sums with bias, `sum_frac`."""
        return self._biased((inputs * self.operands).sum(1))

    def batch_sums(self, activations: Tensor) -> Tensor:
        """(k, left) -> (k, right) exact sums with bias, `sum_frac`.

        A dense float64 product is ten times faster than gathering edges, and exact: operands of 18 bits and
        65,536 neurons, the largest there are, make whole numbers below 2^51.
        """
        dense = torch.zeros(self.shape.right, self.shape.left, dtype=torch.float64)
        dense.scatter_(1, self.left.view(self.weights.shape), self.operands.to(torch.float64))
        return self._biased((activations.to(torch.float64) @ dense.T).to(torch.int64))

    def activate(self, sums: Tensor) -> tuple[Tensor, Tensor | None, int]:
        """Sums of any shape -> activations, derivatives (None: all 1), and how many saturated."""
        if self.shape.activation == "sigmoid":
            index = saturate(rescale(sums, self.sum_frac, self.table_input.frac), self.table_input)
            index = index & (self.table.numel() - 1)  # the table is in two's-complement order
            return self.table[index], self.derivative_table[index], 0
        rounded = rescale(sums, self.sum_frac, self.right.frac)
        if self.shape.activation == "identity":
            activations = saturate(rounded, self.right)
            return activations, None, _changed(rounded, activations)
        activations = rounded.clip(0, self.right.max)
        inside = (activations > 0) & (activations < self.right.max)
        return activations, inside, int(torch.count_nonzero(rounded > self.right.max))

    def backpropagate(self, delta: Tensor) -> Tensor:
        """(right,) -> (left,) exact sums, `delta_sum_frac`; 0 for a left neuron without edges."""
        products = self.operands * delta[:, None]
        return torch.zeros(self.shape.left, dtype=torch.int64).index_add_(0, self.left, products.view(-1))

    def update(self, delta: Tensor, inputs: Tensor, rate: int) -> int:
        """One step of SGD with learning rate 2^-rate; how many weights and biases saturated."""
        weight = self.formats.weight
        steps = rescale(delta[:, None] * inputs, self.update_frac + rate, weight.frac)
        weights = self.weights - steps
        biases = self.biases - rescale(delta, self.formats.delta.frac + rate, weight.frac)
        self.weights, self.biases = saturate(weights, weight), saturate(biases, weight)
        self.operands = self.weights >> self.formats.operand_shift
        return _changed(weights, self.weights) + _changed(biases, self.biases)

    def _biased(self, products: Tensor) -> Tensor:
        return (products << self.sum_shift) + (self.biases << self.bias_shift)


def _changed(wanted: Tensor, stored: Tensor) -> int:
    """How many values saturation changed (equal tensors, the usual case, take a tenth of the time)."""
    return 0 if torch.equal(wanted, stored) else int(torch.count_nonzero(wanted != stored))


def _constant_stretches(kinds: NDArray[np.uint8]) -> list[int]:
    """For every sample the index of the first training sample after it (or the end)."""
    ends = np.where(kinds == SampleKind.TRAIN, np.arange(len(kinds)), len(kinds))
    return np.minimum.accumulate(ends[::-1])[::-1].tolist()
