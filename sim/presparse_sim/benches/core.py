"""The core: samples in, results out, every stream paused at random, the whole state and all counters read back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge
from numpy.typing import NDArray

from presparse.contract.address_map import (
    CORE_COUNTERS,
    bias_address,
    bias_words,
    edge_address,
    edge_words,
    pack_biases,
    pack_edges,
    unpack_biases,
    unpack_edges,
)
from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse_hw.core.core import Core
from presparse_hw.core.ports import AnswerLayout, CommandLayout, EventLayout, ResultLayout, SampleLayout
from presparse_sim.benches import places
from presparse_sim.benches.journal import Journal
from presparse_sim.benches.stimuli import kinds_of, random_model, random_samples
from presparse_sim.benches.streams import Sink, Source, Stalls, clock_cycle, port, start, until
from presparse_sim.benches.task import Task

_STALLS = (0.1, 0.5, 0.9)

Integers = tuple[NDArray[np.int64], ...]


@cocotb.test()
async def core(dut: HierarchyObject) -> None:
    """Load, then parts with and without pauses: all samples, a flush, and the state compared after each."""
    task = Task.given()
    rng = task.rng
    with Journal(task, clock_cycle) as journal:
        bench = CoreBench(dut, task.build, journal, rng)
        model = random_model(rng, task.build.network)
        await bench.load(model)
        reference = Reference(task.build, model)
        samples = random_samples(rng, task.build, task.samples, kinds_of(task.build))
        cuts = np.linspace(0, task.samples, 4).astype(int)
        for paused, (first, end) in zip((False, True, False), pairwise(cuts.tolist()), strict=True):
            bench.pause(paused)
            await bench.compare(samples[first:end], reference)


class CoreBench:
    """A core and its four streams.

    Its clock runs from the first; `journal` is told of every step.
    """

    def __init__(self, dut: HierarchyObject, build: Build, journal: Journal, rng: np.random.Generator) -> None:
        self._dut, self._build, self._journal = dut, build, journal
        schedule = build.schedule
        self._patience = 10_000 + 4 * (schedule.period * (schedule.depth + 2) + schedule.settle)
        self._edge: RisingEdge = start(dut, Core(build))
        self._rng = rng
        self._stalls = [Stalls(rng) for _ in range(4)]
        samples, results, commands, answers = self._stalls
        self._samples = Source(dut, "samples", self._edge, samples)
        self._results = Sink(dut, "results", self._edge, results)
        self._commands = Source(dut, "commands", self._edge, commands)
        self._answers = Sink(dut, "answers", self._edge, answers)
        self._events: Counter[int] = Counter()
        for task in (self._results.run(), self._answers.run(), self._count()):
            cocotb.start_soon(task)

    def pause(self, wanted: bool) -> None:
        """From now on every stream pauses in a share of all cycles, or none does."""
        for stalls in self._stalls:
            stalls.probability = float(self._rng.choice(_STALLS)) if wanted else 0.0

    async def load(self, model: Model) -> None:
        """Write every edge and bias, read them back and compare."""
        await self._edge
        for j, left, weights, biases in zip(
            self._build.junctions, model.left, model.weights, model.biases, strict=True
        ):
            await self._access(edge_address(j.index), pack_edges(j, left, weights), "loading edges")
            await self._access(bias_address(j.index), pack_biases(j, biases), "loading biases")
        await self._check_state(model)

    async def compare(self, samples: Samples, reference: Reference) -> None:
        """Feed samples and a flush to both; compare scores, state, and what was counted."""
        self._results.taken.clear()
        feeding = cocotb.start_soon(self._samples.send(self._transfers(samples)))
        expected = np.concatenate([reference.run(samples), reference.flush()])
        transfers = self._build.junctions[-1].steps
        await feeding
        await until(self._edge, self._results.taken, len(expected) * transfers, self._patience, "results")
        await self._drain()
        clocks = [clock for clock, _ in self._results.taken[transfers - 1 :: transfers]]
        self._journal.compared += places.check_scores(self._build, expected, self._scores(), clocks)
        await self._check_state(reference.model())
        self._check_counters(reference)

    async def _access(self, address: int, words: NDArray[np.uint32] | int, doing: str) -> NDArray[np.uint32]:
        """Write words, or read so many; what was answered."""
        layout = CommandLayout()
        reading = isinstance(words, int)
        count = words if isinstance(words, int) else len(words)
        values = [0] * count if isinstance(words, int) else words.tolist()
        self._answers.taken.clear()
        commands = (
            layout.const({"address": address + i, "data": value, "write": not reading}).as_bits()
            for i, value in enumerate(values)
        )
        sending = cocotb.start_soon(self._commands.send(commands))
        answered = self._answers.taken
        while len(answered) < count:
            due = min(count, len(answered) + 256)
            await until(self._edge, answered, due, self._patience, f"{doing}: answers")
            self._journal.progress(len(answered), count, doing)
        await sending
        answers = [AnswerLayout().from_bits(payload) for _, payload in answered]
        refused = [i for i, answer in enumerate(answers) if answer.bad_address or answer.not_drained]
        if refused:
            raise AssertionError(f"{doing}: the core refused address {address + refused[0]:#x}")
        return np.array([answer.data for answer in answers], dtype=np.uint32)

    async def _check_state(self, expected: Model) -> None:
        left, weights, biases = [], [], []
        for j in self._build.junctions:
            edges = await self._access(edge_address(j.index), edge_words(j), "reading edges")
            of_junction = unpack_edges(j, edges)
            left.append(of_junction[0])
            weights.append(of_junction[1])
            words = await self._access(bias_address(j.index), bias_words(j), "reading biases")
            biases.append(unpack_biases(j, words))
        wanted = (expected.left, expected.weights, expected.biases)
        self._journal.compared += places.check_state(self._build, wanted, (left, weights, biases), clock_cycle())

    def _transfers(self, samples: Samples) -> Iterator[int]:
        """Of all samples, and of the flush after them."""
        layout, port_width = SampleLayout(self._build), self._build.feature_port
        rows = zip(
            samples.kinds.tolist(), samples.features, samples.labels.tolist(), samples.rates.tolist(), strict=True
        )
        for number, (kind, features, label, rate) in enumerate(rows, start=1):
            for part in features.reshape(-1, port_width).tolist():
                yield layout.const({"features": part, "kind": kind, "rate": rate, "label": label}).as_bits()
            self._journal.samples += 1
            self._journal.progress(number, len(samples), "samples")
        yield layout.const({"kind": SampleKind.FLUSH}).as_bits()

    def _scores(self) -> NDArray[np.int64]:
        """(m, N_L) of the results taken. Raises AssertionError if `last` marks another transfer than the last."""
        layout, steps = ResultLayout(self._build), self._build.junctions[-1].steps
        scores: list[int] = []
        for number, (clock, payload) in enumerate(self._results.taken, start=1):
            transfer = layout.from_bits(payload)
            if bool(transfer.last) != (number % steps == 0):
                raise AssertionError(f"`last` of a result's transfer is {transfer.last} (clock cycle {clock:,})")
            scores += list(transfer.scores)
        return np.array(scores, dtype=np.int64).reshape(-1, self._build.network.layers[-1])

    async def _drain(self) -> None:
        drained, waited = port(self._dut, "drained"), 0
        while not drained.value:
            await self._edge
            waited += 1
            if waited > self._patience:
                raise AssertionError(f"the core is not drained {waited:,} cycles after its flush")

    async def _count(self) -> None:
        """Add up what happens in every cycle (a task of its own)."""
        events = port(self._dut, "events")
        while True:
            await self._edge
            self._events[int(events.value)] += 1

    def _check_counters(self, reference: Reference) -> None:
        layout = EventLayout(self._build)
        totals = dict.fromkeys(CORE_COUNTERS, 0)
        for bits, cycles in self._events.items():
            event = layout.from_bits(bits)
            for name in CORE_COUNTERS:
                totals[name] += cycles * event[name]
        for name, expected in reference.counters.items():
            if totals[name] != expected:
                raise AssertionError(f"counter {name}: expected {expected}, got {totals[name]}")
        self._journal.compared += len(reference.counters)
