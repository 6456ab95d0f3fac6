"""A small, honest stand-in for the core: memory, a pipeline that keeps samples, results, events to count.

Runs as a testbench on the endpoint's core ports; its outputs change after clock edges only, as
registers do. The score of output o is feature o + o, saturated, so that every value can be checked.
"""

from __future__ import annotations

import operator
import random
from collections import deque
from dataclasses import dataclass, field

from amaranth.lib import data, wiring
from amaranth.sim import SimulatorContext

from presparse.contract.address_map import CORE_COUNTERS, REGION_SHIFT
from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.core.ports import CommandLayout, SampleLayout
from tests.hw.compiled import CompiledContext

DEPTH = 3
"""Samples that stay in the pipeline until others or a flush push them out."""


POWER_ON = 2
"""Cycles of the restart that nobody asked for."""


@dataclass(frozen=True)
class TakenSample:
    kind: int
    rate: int
    label: int
    features: tuple[int, ...]


def scores_of(build: Build, features: tuple[int, ...]) -> list[int]:
    fmt = build.network.formats.output
    outputs = build.network.layers[-1]
    return [max(fmt.min, min(fmt.max, features[o % len(features)] + o)) for o in range(outputs)]


@dataclass
class FakeCore:
    build: Build
    port: wiring.PureInterface
    rng: random.Random
    stall: float = 0.0
    """Probability, per cycle and stream, of not moving."""
    samples: list[TakenSample] = field(default_factory=list)
    flushes: int = 0
    restarts: int = 0
    """Cycles; POWER_ON come by themselves."""
    writes: int = 0
    deaf: bool = False
    """Answers no command any more: a broken core."""
    stuck: bool = False
    """Samples in the pipeline do not move."""

    def __post_init__(self) -> None:
        self.memory: dict[int, list[int]] = {}
        for junction in self.build.junctions:
            self.memory[2 * junction.index - 1] = [0] * junction.edges
            self.memory[2 * junction.index] = [0] * junction.right
        self._forget()
        self.events = dict.fromkeys(CORE_COUNTERS, 0)  # to be reported, one per cycle
        self._driven: dict[int, object] = {}
        self._transfers_per_result = self.build.network.layers[-1] // self.build.junctions[-1].group

    def _forget(self) -> None:
        self._half: list[tuple[int, int, int, list[int]]] = []
        self._pipeline: deque[TakenSample] = deque()
        self._flushing = False
        self._results: deque[list[int]] = deque()  # transfers
        self._answers: deque[dict[str, int]] = deque()
        self._results_valid = self._answers_valid = False

    @property
    def drained(self) -> bool:
        return not (self._pipeline or self._half or self._flushing)

    @property
    def results_waiting(self) -> int:
        return len(self._results) // self._transfers_per_result

    async def run(self, ctx: SimulatorContext | CompiledContext) -> None:
        port = self.port
        streams = (port.samples, port.results, port.commands, port.answers)
        payloads = port.samples.payload.as_value(), port.commands.payload.as_value()
        observed = (
            *(stream.valid for stream in streams),
            *(stream.ready for stream in streams),
            *(port.discard, port.restart, *payloads),
        )
        while True:
            self._drive(ctx)
            _, _, *found = await ctx.tick().sample(*observed)
            discard, restart, sample, command = found[8:]
            sent, result_taken, commanded, answer_taken = map(operator.and_, found[:4], found[4:8])
            if result_taken:
                self._results.popleft()
                self._results_valid = False
            if answer_taken:
                self._answers.popleft()
                self._answers_valid = False
            if sent:
                self._take(SampleLayout(self.build).from_bits(sample))
            if commanded and not self.deaf:
                self._answers.append(self._execute(CommandLayout().from_bits(command)))
            if discard:
                self._half = []
            if restart:
                self._forget()
                self.events = dict.fromkeys(CORE_COUNTERS, 0)
                self.restarts += 1
            self._advance()

    def _take(self, sample: data.Const) -> None:
        if sample.kind == SampleKind.FLUSH and not self._half:
            self.flushes += 1
            self._flushing = True
            return
        if not self._half:
            self._half = [(sample.kind, sample.rate, sample.label, [])]
        kind, rate, label, features = self._half[0]
        features += [sample.features[i] for i in range(self.build.feature_port)]
        if len(features) == self.build.network.layers[0]:
            taken = TakenSample(kind, rate, label, tuple(features))
            self.samples.append(taken)
            self._pipeline.append(taken)
            self._half = []
            self.events["blocks"] += 1

    def _advance(self) -> None:
        """A sample leaves when too many are inside, or on a flush; never into a full result store."""
        if self.stuck:
            return
        if len(self._pipeline) > DEPTH or (self._flushing and self._pipeline):
            predicts = self._pipeline[0].kind == SampleKind.PREDICT
            if predicts and self.results_waiting == self.build.result_capacity:
                return
            left = self._pipeline.popleft()
            if predicts:
                scores, group = scores_of(self.build, left.features), self.build.junctions[-1].group
                self._results.extend(scores[i : i + group] for i in range(0, len(scores), group))
                self.events["predicted"] += 1
        elif self._flushing:
            self._flushing = False

    def _execute(self, command: data.Const) -> dict[str, int]:
        region, word = command.address >> REGION_SHIFT, command.address & ((1 << REGION_SHIFT) - 1)
        if region not in self.memory or word >= len(self.memory[region]):
            return {"data": 0, "bad_address": 1, "not_drained": 0}
        if not self.drained:
            return {"data": 0, "bad_address": 0, "not_drained": 1}
        if command.write:
            self.memory[region][word] = command.data
            self.writes += 1
        return {"data": self.memory[region][word], "bad_address": 0, "not_drained": 0}

    def _moves(self) -> bool:
        return self.rng.random() >= self.stall

    def _drive(self, ctx: SimulatorContext | CompiledContext) -> None:
        """Set the outputs that change; a valid transfer stays valid until it is taken."""
        port = self.port
        events = {name: int(count > 0) for name, count in self.events.items()}
        self.events = {name: count - events[name] for name, count in self.events.items()}
        self._results_valid = bool(self._results) and (self._results_valid or self._moves())
        self._answers_valid = bool(self._answers) and (self._answers_valid or self._moves())
        outputs = [
            (port.samples.ready, len(self._pipeline) <= DEPTH and not self._flushing and self._moves()),
            (port.commands.ready, self._moves()),
            (port.results.valid, self._results_valid),
            (port.answers.valid, self._answers_valid),
            (port.results_waiting, self.results_waiting),
            (port.drained, self.drained),
            (port.events, events),
        ]
        if self._results:
            last = len(self._results) % self._transfers_per_result == 1 % self._transfers_per_result
            outputs.append((port.results.payload, {"scores": self._results[0], "last": last}))
        if self._answers:
            outputs.append((port.answers.payload, self._answers[0]))
        for target, value in outputs:
            # Setting a signal simulates what follows from it, whether or not it changes.
            if self._driven.get(id(target)) != value:
                ctx.set(target, value)
                self._driven[id(target)] = value.copy() if isinstance(value, dict) else value
