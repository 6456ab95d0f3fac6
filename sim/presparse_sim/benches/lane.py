"""One lane alone: every port of it, cycle by cycle, against the arithmetic of the contract."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject

from presparse.contract.address_map import FIRST_BIT, WEIGHT_BITS, WEIGHT_MASK, pack_edges
from presparse.contract.formats import rescale, saturate
from presparse.contract.lane_memories import activation_bank_depth, delta_bank_depth, row_bits
from presparse.contract.schedule import BACKPROPAGATE, EDGE_READ, MULTIPLY, OPERANDS, READ, SPREAD, UPDATE
from presparse_hw.core.lane import Lane
from presparse_sim.benches.journal import Journal
from presparse_sim.benches.places import Place
from presparse_sim.benches.stimuli import random_model
from presparse_sim.benches.streams import clock_cycle
from presparse_sim.benches.task import Task
from presparse_sim.benches.timeline import Timeline

_MEETS = OPERANDS - SPREAD
"""Cycles from an edge's address at the lane to its activation and delta."""
_BURST = 4
"""Blocks in which no activations are written."""


@cocotb.test()
async def lane(dut: HierarchyObject) -> None:
    """Load, then bursts of blocks back to back with new activations between them: every output in its cycle."""
    task = Task.given()
    with Journal(task, clock_cycle) as journal:
        bench = LaneBench(dut, task, journal)
        await bench.load()
        while journal.samples < task.samples:
            count = min(_BURST, task.samples - journal.samples)
            await bench.burst(count)
            journal.samples += count
        await bench.read()


class LaneBench:
    """A lane of a junction, its timeline, and what it must hold."""

    def __init__(self, dut: HierarchyObject, task: Task, journal: Journal) -> None:
        self._build, self._j, self._rng = task.build, task.junction, task.rng
        self._plan = task.build.schedule.junctions[task.index]
        self._has_deltas = task.build.training and task.index > 0
        self._row_bits = row_bits(task.build, task.index)
        self._timeline = Timeline(dut, Lane(task.build, task.index), journal)
        self._lane = int(self._rng.integers(self._j.lanes))
        model = random_model(self._rng, task.build.network)
        words = pack_edges(self._j, model.left[task.index], model.weights[task.index])
        self._words: list[int] = words.reshape(self._j.cycles, -1)[:, self._lane].tolist()
        self._weights = model.weights[task.index].reshape(-1, self._j.lanes)[:, self._lane].tolist()
        self._rows = [word >> WEIGHT_BITS & (1 << self._row_bits) - 1 for word in self._words]
        self._activations = np.zeros(activation_bank_depth(task.build, task.index), dtype=np.int64)
        self._sums = np.zeros(delta_bank_depth(task.build, task.index), dtype=np.int64)

    async def load(self) -> None:
        """All edges, all activations, and all delta sums to 0."""
        timeline = self._timeline
        for cycle, word in enumerate(self._words):
            timeline.put(timeline.end, edge_write_address=cycle, word_data=word)
            timeline.pulse(timeline.end - 1, "word_write")
        for slot in range(self._plan.activation_slots):
            self._write_activations(slot)
        for address in range(len(self._sums)):
            timeline.put(timeline.end, clear_address=address)
            timeline.pulse(timeline.end - 1, "clear_write")
        await timeline.run("loading")

    async def burst(self, blocks: int) -> None:
        """Blocks that follow each other as the schedule allows; new activations in one slot before, and after them
        all delta sums read."""
        self._write_activations(int(self._rng.integers(self._plan.activation_slots)))
        start = self._timeline.end + READ
        for block in range(blocks):
            self._block(start + block * self._build.schedule.period)
        if self._has_deltas:
            self._read_sums()
        await self._timeline.run("blocks")

    async def read(self) -> None:
        """The whole edge memory."""
        begin = self._timeline.end
        for cycle in range(self._j.cycles):
            self._timeline.put(begin + cycle, edge_address=cycle)
            self._expect(begin + cycle + EDGE_READ, "word_word", self._word(cycle), "edge word", cycle)
        await self._timeline.run("reading back")

    def _block(self, begin: int) -> None:
        """One turn of every edge: FF, BP and UP, with slots, deltas and rate at random."""
        network, timeline = self._build.network, self._timeline
        forward, update = self._rng.integers(self._plan.activation_slots, size=2).tolist()
        delta_set = int(self._rng.integers(max(1, self._plan.delta_sets)))
        rate = int(self._rng.integers(network.rates.least, network.rates.most + 1))
        training = bool(self._rng.random() < 0.8)
        deltas = self._rng.integers(network.formats.delta.min, network.formats.delta.max + 1, size=self._j.cycles)
        for cycle, delta in enumerate(deltas.tolist()):
            at = begin + cycle
            timeline.put(at, edge_address=cycle)
            self._expect(at + EDGE_READ, "word_word", self._word(cycle), "edge word (weight, row, first)", cycle)
            self._feed_forward(at, cycle, forward)
            if self._has_deltas:
                self._backpropagate(at, cycle, delta, delta_set)
            if self._build.training:
                self._update(at, cycle, delta, rate, update, training)

    def _feed_forward(self, at: int, cycle: int, slot: int) -> None:
        product = self._operand(cycle) * self._activation(cycle, slot)
        self._timeline.put(at + EDGE_READ, edge_forward_slot=slot)
        self._expect(at + _MEETS + MULTIPLY, "product", product, "product", cycle)

    def _backpropagate(self, at: int, cycle: int, delta: int, delta_set: int) -> None:
        timeline, address = self._timeline, delta_set << self._row_bits | self._rows[cycle]
        adding = at + BACKPROPAGATE - 1 - READ - SPREAD
        timeline.put(at + _MEETS, deltas_plain_0=delta)
        timeline.put(adding, edge_delta_set=delta_set)
        timeline.pulse(adding, "edge_delta_add")
        first = self._words[cycle] >> FIRST_BIT
        self._sums[address] = (0 if first else self._sums[address]) + self._operand(cycle) * delta

    def _update(self, at: int, cycle: int, delta: int, rate: int, slot: int, training: bool) -> None:
        f, rates, timeline = self._build.network.formats, self._build.network.rates, self._timeline
        timeline.put(at + EDGE_READ, edge_update_slot=slot)
        timeline.put(at + _MEETS, deltas_scaled_0=delta << (rates.most - rate))
        timeline.put(at + UPDATE - SPREAD, edge_write_address=cycle)
        if training:
            timeline.pulse(at + UPDATE - SPREAD, "edge_update")
            change = rescale(
                delta * self._activation(cycle, slot), f.delta.frac + f.activation.frac + rate, f.weight.frac
            )
            wanted = self._weights[cycle] - change
            self._weights[cycle] = saturate(wanted, f.weight)
            saturated = int(wanted != self._weights[cycle])
            self._expect(at + UPDATE - SPREAD + 1, "weight_saturated", saturated, "weight_saturated", cycle)

    def _write_activations(self, slot: int) -> None:
        """Every row of a slot."""
        fmt, timeline = self._build.network.formats.activation, self._timeline
        for row, value in enumerate(self._rng.integers(fmt.min, fmt.max + 1, size=self._j.rows).tolist()):
            timeline.put(timeline.end, left_slot=slot, left_row=row, left_values_0=value)
            timeline.pulse(timeline.end - 1, "left_write")
            self._activations[slot << self._row_bits | row] = value

    def _read_sums(self) -> None:
        begin = self._timeline.end + READ + 1
        for address, total in enumerate(self._sums.tolist()):
            self._timeline.put(begin + address, sums_address=address)
            turns = [cycle for cycle, row in enumerate(self._rows) if row == address & (1 << self._row_bits) - 1]
            self._expect(begin + address + READ, "sums_values_0", total, "delta sum", max(turns, default=0))

    def _expect(self, at: int, port: str, value: int, what: str, cycle: int) -> None:
        place = Place(what=what, junction=self._j.index, cycle=cycle, lane=self._lane)
        self._timeline.expect(at, port, value, place)

    def _operand(self, cycle: int) -> int:
        return self._weights[cycle] >> self._build.network.formats.operand_shift

    def _activation(self, cycle: int, slot: int) -> int:
        return int(self._activations[slot << self._row_bits | self._rows[cycle]])

    def _word(self, cycle: int) -> int:
        """The edge as the host reads it."""
        return self._words[cycle] & ~WEIGHT_MASK | self._weights[cycle] & WEIGHT_MASK
