"""docs/arithmetic.md is complete: a model written from that page alone equals the reference, state for state.

Nothing here imports the product's arithmetic, schedule or tables; of a build and a model it reads plain data.
Where this file and the page part, the page is to be mended.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from presparse.contract import permutation
from presparse.contract.activation import derivative_table, sigmoid_table
from presparse.contract.build import Build
from presparse.contract.formats import Format, Formats
from presparse.contract.network import SHIPPED, Network
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.reference.pytorch import Reference
from tests.networks import random_build, random_model, random_samples

PREDICT, TRAIN, EVALUATE = "predict", "train", "evaluate"
PAGE = Path(__file__).parents[3] / "docs/arithmetic.md"


class Fixed(NamedTuple):
    """A number format."""

    width: int
    frac: int

    @property
    def min(self) -> int:
        return -(2 ** (self.width - 1))

    @property
    def max(self) -> int:
        return 2 ** (self.width - 1) - 1


def rounded(v: int, have: int, want: int) -> int:
    if have <= want:
        return v * 2 ** (want - have)
    return (v + 2 ** (have - want - 1)) >> (have - want)


def sat(v: int, fmt: Fixed) -> int:
    return min(max(v, fmt.min), fmt.max)


def sigmoid_tables(right: Fixed) -> tuple[list[int], list[int]]:
    size = 2 ** (right.frac + 2)
    table, derivatives = [0] * size, [0] * size
    for x in range(-size // 2, size // 2):
        s = 1 / (1 + math.exp(-x / 2 ** (right.frac - 2)))
        table[x % size] = sat(math.floor(s * 2**right.frac + 0.5), right)
        derivatives[x % size] = math.floor(s * (1 - s) * 2**right.frac + 0.5)
    return table, derivatives


def order(n: int, seed: int) -> list[int]:
    size = 2 ** (n - 1).bit_length()
    numbers = []
    for x in range(size):
        for number, (s, a) in enumerate([(1, 5), (4, 5), (1, 1), (2, 2), (2, 3), (4, 2)]):
            turn = 11 * number % 32
            key = (seed >> turn | seed << (32 - turn)) % 2**32
            y = x ^ (x >> s) ^ (key % size)
            x = (y + y * 2**a) % size
        numbers.append(x)
    return [x for x in numbers if x < n]


class InFlight:
    """A sample on its way."""

    def __init__(self, kind: str, features: list[int], label: int, k: int) -> None:
        self.kind, self.label, self.k = kind, label, k
        self.layers = [features]
        self.derivatives: list[list[int]] = []
        self.deltas: dict[int, list[int]] = {}
        """By junction."""


class PageModel:
    """The board as the page has it. Junctions count from 0 here."""

    def __init__(self, build: Build, model: Model) -> None:
        net = build.network
        self.layers, self.lanes, self.activations = net.layers, build.lanes, net.activations
        self.classes, self.training, self.gap = net.classes, build.mode == "train", build.gap
        f = net.formats
        self.activation, self.weight = (
            Fixed(f.activation.width, f.activation.frac),
            Fixed(f.weight.width, f.weight.frac),
        )
        self.delta, self.output = Fixed(f.delta.width, f.delta.frac), Fixed(f.output.width, f.output.frac)
        self.cut = f.weight.width - f.operand_bits
        self.operand_frac = f.weight.frac - self.cut
        self.in_degree = [p * d // n for p, d, n in zip(net.layers, net.out_degree, net.layers[1:], strict=False)]
        self.left = [a.tolist() for a in model.left]
        self.w = [a.tolist() for a in model.weights]
        self.b = [a.tolist() for a in model.biases]
        self.forward, self.update = self.delays()
        self.depth = max(self.forward + self.update)
        self.tables = {fmt: sigmoid_tables(fmt) for fmt in (self.activation, self.output) if fmt.frac <= 12}
        self.started: list[InFlight | None] = []
        self.counts = dict.fromkeys(
            (
                "predicted",
                "trained",
                "evaluated",
                "correct",
                *(f"saturated_{x}" for x in ("activation", "weight", "delta")),
            ),
            0,
        )

    def delays(self) -> tuple[list[int], list[int]]:
        count = len(self.lanes)
        cycles = [n * d // z for n, d, z in zip(self.layers[1:], self.in_degree, self.lanes, strict=True)]
        latency = [15 + math.ceil(math.log2(min(z, d))) for z, d in zip(self.lanes, self.in_degree, strict=True)]
        period = max(max(cycles) + self.gap, 12 if self.training else 2)
        absolute = [0]
        for i in range(count - 1):
            absolute.append(absolute[i] + cycles[i] + latency[i] - 3)
        start, forward = [a % period for a in absolute], [a // period for a in absolute]
        if not self.training:
            return forward, []
        update = [0] * count
        q = max(1, self.in_degree[-1] // self.lanes[-1])
        update[-1] = forward[-1] + math.ceil((q + latency[-1] + 10) / period)
        for i in reversed(range(count - 1)):
            wait = math.ceil((start[i + 1] + cycles[i + 1] + 17 - start[i]) / period)
            update[i] = update[i + 1] + max(0, wait)
        return forward, update

    def flush(self) -> list[list[int]]:
        return [scores for _ in range(self.depth) for scores in self.block(None)]

    def block(self, sample: InFlight | None) -> list[list[int]]:
        """Starts a block with this sample, and returns the scores of a prediction that came out."""
        self.started.append(sample)
        w = [[row.copy() for row in rows] for rows in self.w]  # as the block before left them
        b = [row.copy() for row in self.b]
        out: list[list[int]] = []
        for i, delay in enumerate(self.forward):
            if s := self.in_block(delay):
                self.feed_forward(i, s, w[i], b[i])
                if i == len(self.forward) - 1:
                    out += self.conclude(s)
        for i, delay in reversed(list(enumerate(self.update))):
            s = self.in_block(delay)
            if s and s.kind == TRAIN:
                if i > 0:
                    self.backpropagate(i, s, w[i])
                self.learn(i, s, w[i], b[i])
        return out

    def in_block(self, delay: int) -> InFlight | None:
        number = len(self.started) - 1 - delay
        return self.started[number] if number >= 0 else None

    def right(self, i: int) -> Fixed:
        return self.output if i == len(self.w) - 1 else self.activation

    def feed_forward(self, i: int, s: InFlight, w: list[list[int]], b: list[int]) -> None:
        a, fmt = s.layers[i], self.right(i)
        product_frac = self.operand_frac + self.activation.frac
        sum_frac = max(product_frac, self.weight.frac)
        values, derivatives = [], []
        for r, bias in enumerate(b):
            total = bias * 2 ** (sum_frac - self.weight.frac)
            for k, n in enumerate(self.left[i][r]):
                total += (w[r][k] >> self.cut) * a[n] * 2 ** (sum_frac - product_frac)
            if self.activations[i] == "sigmoid":
                x = sat(rounded(total, sum_frac, fmt.frac - 2), Fixed(fmt.frac + 2, fmt.frac - 2))
                index = x % 2 ** (fmt.frac + 2)
                values.append(self.tables[fmt][0][index])
                derivatives.append(self.tables[fmt][1][index])
                continue
            v = rounded(total, sum_frac, fmt.frac)
            if self.activations[i] == "relu":
                value = min(max(v, 0), fmt.max)
                self.counts["saturated_activation"] += v > fmt.max
                derivatives.append(int(0 < value < fmt.max))
            else:
                value = sat(v, fmt)
                self.counts["saturated_activation"] += value != v
                derivatives.append(1)
            values.append(value)
        s.layers.append(values)
        s.derivatives.append(derivatives)

    def conclude(self, s: InFlight) -> list[list[int]]:
        scores = s.layers[-1]
        self.counts[{PREDICT: "predicted", TRAIN: "trained", EVALUATE: "evaluated"}[s.kind]] += 1
        if s.kind == PREDICT:
            return [scores]
        best = max(range(self.classes), key=lambda c: (scores[c], -c))
        self.counts["correct"] += best == s.label
        if s.kind == TRAIN:
            targets = [2**self.output.frac if r == s.label else 0 for r in range(len(scores))]
            s.deltas[len(self.w) - 1] = [
                self.as_delta(score - target, self.output.frac) for score, target in zip(scores, targets, strict=True)
            ]
        return []

    def as_delta(self, v: int, frac: int) -> int:
        wanted = rounded(v, frac, self.delta.frac)
        self.counts["saturated_delta"] += sat(wanted, self.delta) != wanted
        return sat(wanted, self.delta)

    def backpropagate(self, i: int, s: InFlight, w: list[list[int]]) -> None:
        sums = [0] * self.layers[i]
        for r, delta in enumerate(s.deltas[i]):
            for k, n in enumerate(self.left[i][r]):
                sums[n] += (w[r][k] >> self.cut) * delta
        d_frac = self.activation.frac if self.activations[i - 1] == "sigmoid" else 0
        frac = self.operand_frac + self.delta.frac + d_frac
        s.deltas[i - 1] = [self.as_delta(v * d, frac) for v, d in zip(sums, s.derivatives[i - 1], strict=True)]

    def learn(self, i: int, s: InFlight, w: list[list[int]], b: list[int]) -> None:
        a = s.layers[i]
        for r, delta in enumerate(s.deltas[i]):
            for j, n in enumerate(self.left[i][r]):
                step = rounded(delta * a[n], self.delta.frac + self.activation.frac + s.k, self.weight.frac)
                self.w[i][r][j] = self.stored(w[r][j] - step)
            self.b[i][r] = self.stored(b[r] - rounded(delta, self.delta.frac + s.k, self.weight.frac))

    def stored(self, wanted: int) -> int:
        self.counts["saturated_weight"] += sat(wanted, self.weight) != wanted
        return sat(wanted, self.weight)

    def run(self, samples: Samples) -> list[list[int]]:
        """Blocks for samples as the reference takes them."""
        names = {SampleKind.PREDICT: PREDICT, SampleKind.TRAIN: TRAIN, SampleKind.EVALUATE: EVALUATE}
        out = []
        for number in range(len(samples)):
            kind, label, k = samples.kinds[number], samples.labels[number], samples.rates[number]
            features = samples.features[number].tolist()
            out += self.block(InFlight(names[SampleKind(kind)], features, int(label), int(k)))
        return out


@pytest.mark.parametrize("seed", range(60))
def test_a_model_written_from_the_page_equals_the_reference(seed: int) -> None:
    """Random networks, formats, lanes and gaps; samples of mixed kinds, cut by flushes; the whole state."""
    rng = np.random.default_rng([20, seed])
    build = random_build(rng, neurons=20)
    model = random_model(rng, build.network)
    page, reference = PageModel(build, model), Reference(build, model)
    times = build.schedule.junctions
    assert page.forward == [t.forward for t in times]
    assert not build.training or page.update == [t.update for t in times]
    for _ in range(3):
        samples = random_samples(rng, build, int(rng.integers(1, 25)))
        assert page.run(samples) == reference.run(samples).tolist()
        assert page.flush() == reference.flush().tolist()
    assert_same_state(page, reference)


@pytest.mark.parametrize("name", SHIPPED)
def test_delays_of_the_networks_that_ship(name: str) -> None:
    network = Network.load(name)
    for mode in ("train", "infer"):
        build = Build(network=network, mode=mode)
        page = PageModel(build, Model.initial(network))
        assert page.forward == [t.forward for t in build.schedule.junctions]
        assert page.depth == build.schedule.depth
        assert mode == "infer" or page.update == [t.update for t in build.schedule.junctions]


def test_the_example_of_delays() -> None:
    """The page's figures for mnist-dey."""
    network = Network.load("mnist-dey")
    page = PageModel(Build(network=network), Model.initial(network))
    assert (page.forward, page.update) == ([0, 1], [4, 2])
    assert "has T = 64, forward (0, 1), update (4, 2)" in PAGE.read_text(encoding="utf-8")


def test_the_step_by_hand() -> None:
    """The page's figures of one training sample."""
    network = Network(features=2, classes=2, layers=(2, 2), out_degree=(2,), lanes=(2,), activations=("identity",))
    model = Model(
        network=network,
        left=(np.array([[0, 1], [0, 1]]),),
        weights=(np.array([[1000, -2005], [37, 4096]]),),
        biases=(np.array([5, -8192]),),
        inputs=Inputs.plain(2),
    )
    build = Build(network=network)
    page, reference = PageModel(build, model), Reference(build, model)
    samples = Samples.train(np.array([[200, -100]]), [1], 3)
    sample = InFlight(TRAIN, [200, -100], 1, 3)
    page.block(sample)
    reference.run(samples)
    page.flush()
    reference.flush()
    assert sample.layers[1] == [49, -305]
    assert sample.deltas[0] == [392, -2048]
    assert page.w[0] == [[847, -1928], [837, 3696]]
    assert page.b[0] == [-191, -7168]
    assert page.counts["saturated_delta"] == 1
    assert_same_state(page, reference)
    text = PAGE.read_text(encoding="utf-8")
    for row in (
        "(847, -1928), (837, 3696)",
        "-191, -7168",
        "25080",
        "-156272",
        "153",
        "-77",
        "-800, 400",
        "196; -1024",
    ):
        assert row in text


@pytest.mark.parametrize("frac", range(2, 13))
def test_sigmoid_tables_and_how_far_they_are_from_a_half(frac: int) -> None:
    """Any width; and no entry lies so near a half that another library's exp could move it."""
    for width in (max(4, frac - 3), 10, 16):
        table, derivatives = sigmoid_tables(Fixed(width, frac))
        assert table == sigmoid_table(Format(width=width, frac=frac)).tolist()
        assert derivatives == derivative_table(Format(width=width, frac=frac)).tolist()
    for x in range(-(2 ** (frac + 1)), 2 ** (frac + 1)):
        s = 1 / (1 + math.exp(-x / 2 ** (frac - 2)))
        for entry in (s * 2**frac, s * (1 - s) * 2**frac):
            assert abs(entry % 1 - 0.5) > 1e-9


@pytest.mark.parametrize("seed", range(10))
def test_features(seed: int) -> None:
    rng = np.random.default_rng([21, seed])
    formats = Formats(activation=Format(width=int(rng.integers(4, 17)), frac=int(rng.integers(2, 8))))
    network = Network(
        features=3, classes=2, layers=(4, 2), out_degree=(1,), lanes=(2,), activations=("sigmoid",), formats=formats
    )
    offset, gain = rng.normal(size=3), rng.normal(size=3)
    columns = rng.permutation(5)[:3]
    initial = Model.initial(network)
    model = Model(
        network=network,
        left=initial.left,
        weights=initial.weights,
        biases=initial.biases,
        inputs=Inputs(offset=offset, gain=gain, columns=columns, width=5),
    )
    X = rng.normal(scale=3, size=(20, 5))
    fmt = Fixed(formats.activation.width, formats.activation.frac)
    wanted = [
        [
            sat(math.floor((row[columns[n]] - offset[n]) * gain[n] * 2**fmt.frac + 0.5), fmt) if n < 3 else 0
            for n in range(4)
        ]
        for row in X
    ]
    assert model.encode(X).tolist() == wanted


@pytest.mark.parametrize("count", [1, 2, 3, 16, 100, 1797])
def test_the_order_of_samples(count: int) -> None:
    for seed in (0, 1, 0xDEADBEEF, 2**32 - 1):
        assert order(count, seed) == permutation.permutation(count, seed).tolist()


def assert_same_state(page: PageModel, reference: Reference) -> None:
    model = reference.model()
    assert page.w == [w.tolist() for w in model.weights]
    assert page.b == [b.tolist() for b in model.biases]
    assert {"blocks": len(page.started), **page.counts} == reference.counters
