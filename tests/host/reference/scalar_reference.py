"""The board's arithmetic once more: plain Python integers, one edge at a time, block by block.

Written from the design, not from presparse.reference.pytorch, and shares no arithmetic with it: rounding is a
floor division, saturation a comparison, sums are unbounded integers. Only table contents, delays and
numbers of the formats come from the contract.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor

from presparse.contract.activation import derivative_table, sigmoid_table
from presparse.contract.build import Build
from presparse.contract.formats import Format
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.model import Model

HALF = Fraction(1, 2)


def move_point(value: int, from_frac: int, to_frac: int) -> int:
    """Round half up: the nearest number of LSBs."""
    return floor(Fraction(value) * Fraction(2) ** (to_frac - from_frac) + HALF)


def clamp(value: int, fmt: Format) -> int:
    lowest, highest = -(2 ** (fmt.width - 1)), 2 ** (fmt.width - 1) - 1
    return lowest if value < lowest else highest if value > highest else value


class InFlight:
    def __init__(self, kind: int, label: int, rate: int, features: list[int]) -> None:
        self.kind, self.label, self.rate = kind, label, rate
        self.layers = [features]
        self.derivatives: list[list[int]] = [[]]
        self.deltas: dict[int, list[int]] = {}


class ScalarReference:
    """Same interface as presparse.reference.pytorch.Reference; weights as nested lists."""

    def __init__(self, build: Build, model: Model) -> None:
        self.build, self.network = build, build.network
        self.left = [array.tolist() for array in model.left]
        self.weights = [array.tolist() for array in model.weights]
        self.biases = [array.tolist() for array in model.biases]
        self.blocks: list[InFlight | None] = []
        self.saturated = {"activation": 0, "weight": 0, "delta": 0}
        self.done = {SampleKind.PREDICT: 0, SampleKind.TRAIN: 0, SampleKind.EVALUATE: 0}
        self.correct = 0

    @property
    def counters(self) -> dict[str, int]:
        return {
            "blocks": len(self.blocks),
            "predicted": self.done[SampleKind.PREDICT],
            "trained": self.done[SampleKind.TRAIN],
            "evaluated": self.done[SampleKind.EVALUATE],
            "correct": self.correct,
            "saturated_activation": self.saturated["activation"],
            "saturated_weight": self.saturated["weight"],
            "saturated_delta": self.saturated["delta"],
        }

    def run(self, samples: Samples) -> list[list[int]]:
        results = []
        for kind, features, label, rate in zip(
            samples.kinds.tolist(),
            samples.features.tolist(),
            samples.labels.tolist(),
            samples.rates.tolist(),
            strict=True,
        ):
            results += self.block(InFlight(kind, label, rate, features))
        return results

    def flush(self) -> list[list[int]]:
        return [result for _ in range(self.build.schedule.depth) for result in self.block(None)]

    def block(self, arriving: InFlight | None) -> list[list[int]]:
        self.blocks.append(arriving)
        times = self.build.schedule.junctions
        before = [[row[:] for row in weights] for weights in self.weights]
        biases_before = [row[:] for row in self.biases]
        for i in range(len(times)):
            sample = self.sample_of(times[i].forward)
            if sample:
                self.feed_forward(i, sample, before[i], biases_before[i])
        if self.build.training:
            for i in reversed(range(len(times))):
                sample = self.sample_of(times[i].update)
                if sample and sample.kind == SampleKind.TRAIN:
                    self.backpropagate(i, sample, before[i])
                    self.update(i, sample)
        out = self.sample_of(times[-1].forward)
        if out:
            self.done[SampleKind(out.kind)] += 1
            scores = out.layers[-1]
            if out.kind == SampleKind.PREDICT:
                return [scores]
            usable = scores[: self.network.classes]
            self.correct += usable.index(max(usable)) == out.label
        return []

    def sample_of(self, age: int) -> InFlight | None:
        block = len(self.blocks) - 1 - age
        return self.blocks[block] if block >= 0 else None

    def operand(self, weight: int) -> int:
        return weight // 2 ** (self.network.formats.weight.width - self.network.formats.operand_bits)

    def right_format(self, i: int) -> Format:
        formats = self.network.formats
        return formats.output if i == len(self.weights) - 1 else formats.activation

    def feed_forward(self, i: int, sample: InFlight, weights: list[list[int]], biases: list[int]) -> None:
        formats = self.network.formats
        right = self.right_format(i)
        kind = self.network.activations[i]
        product_frac = formats.operand.frac + formats.activation.frac
        frac = max(product_frac, formats.weight.frac)
        layer, derivatives = [], []
        for edges, row, bias in zip(self.left[i], weights, biases, strict=True):
            total = bias * 2 ** (frac - formats.weight.frac)
            for left, weight in zip(edges, row, strict=True):
                total += self.operand(weight) * sample.layers[i][left] * 2 ** (frac - product_frac)
            if kind == "sigmoid":
                index = move_point(total, frac, right.frac - 2)
                size = 2 ** (right.frac + 2)
                index = max(-size // 2, min(size // 2 - 1, index)) % size
                layer.append(int(sigmoid_table(right)[index]))
                derivatives.append(int(derivative_table(right)[index]))
                continue
            value = move_point(total, frac, right.frac)
            if kind == "relu" and value < 0:
                value = 0
            stored = clamp(value, right)
            self.saturated["activation"] += stored != value
            layer.append(stored)
            derivatives.append(1 if kind == "identity" else int(0 < stored < right.max))
        sample.layers.append(layer)
        sample.derivatives.append(derivatives)
        if i == len(self.weights) - 1 and sample.kind == SampleKind.TRAIN:
            wanted = [right.one if neuron == sample.label else 0 for neuron in range(len(layer))]
            sample.deltas[i] = [self.as_delta(a - y, right.frac) for a, y in zip(layer, wanted, strict=True)]

    def as_delta(self, value: int, frac: int) -> int:
        fmt = self.network.formats.delta
        rounded = move_point(value, frac, fmt.frac)
        self.saturated["delta"] += clamp(rounded, fmt) != rounded
        return clamp(rounded, fmt)

    def backpropagate(self, i: int, sample: InFlight, weights: list[list[int]]) -> None:
        if i == 0:
            return
        formats = self.network.formats
        sums = [0] * len(sample.layers[i])
        for right, edges in enumerate(self.left[i]):
            for k, left in enumerate(edges):
                sums[left] += self.operand(weights[right][k]) * sample.deltas[i][right]
        frac = formats.operand.frac + formats.delta.frac
        if self.network.activations[i - 1] == "sigmoid":
            frac += formats.activation.frac
        sample.deltas[i - 1] = [
            self.as_delta(total * derivative, frac)
            for total, derivative in zip(sums, sample.derivatives[i], strict=True)
        ]

    def update(self, i: int, sample: InFlight) -> None:
        formats = self.network.formats
        fmt = formats.weight
        for right, delta in enumerate(sample.deltas[i]):
            for k, left in enumerate(self.left[i][right]):
                step = move_point(
                    delta * sample.layers[i][left], formats.delta.frac + formats.activation.frac + sample.rate, fmt.frac
                )
                wanted = self.weights[i][right][k] - step
                self.weights[i][right][k] = clamp(wanted, fmt)
                self.saturated["weight"] += clamp(wanted, fmt) != wanted
            wanted = self.biases[i][right] - move_point(delta, formats.delta.frac + sample.rate, fmt.frac)
            self.biases[i][right] = clamp(wanted, fmt)
            self.saturated["weight"] += clamp(wanted, fmt) != wanted
