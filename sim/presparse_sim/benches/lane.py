"""One lane alone: every port of it, cycle by cycle, against the arithmetic of the contract."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject

from presparse.contract.address_map import FIRST_BIT, WEIGHT_BITS, pack_edges
from presparse.contract.formats import rescale, saturate
from presparse.contract.lane_memories import delta_bank_depth, forward_bank_depth, row_bits, update_bank_depth
from presparse.contract.schedule import BACKPROPAGATE, EDGE_READ, MULTIPLY, OPERANDS, READ, SPREAD, UPDATE
from presparse_hw.core.junction_ports import SlotLayout
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


class LaneBench:
    """A lane of a junction, its timeline, what it must hold, and the edge memory that it is given its edges from."""

    def __init__(self, dut: HierarchyObject, task: Task, journal: Journal) -> None:
        self._build, self._j, self._rng = task.build, task.junction, task.rng
        self._plan = task.build.schedule.junctions[task.index]
        self._has_deltas = task.build.training and task.index > 0
        self._row_bits = row_bits(task.build, task.index)
        self._timeline = Timeline(dut, Lane(task.build, task.index), journal)
        self._lane = int(self._rng.integers(self._j.lanes))
        model = random_model(self._rng, task.build.network)
        words = pack_edges(self._j, model.left[task.index], model.weights[task.index])
        edges: list[int] = words.reshape(self._j.cycles, -1)[:, self._lane].tolist()
        self._weights = model.weights[task.index].reshape(-1, self._j.lanes)[:, self._lane].tolist()
        self._rows = [word >> WEIGHT_BITS & (1 << self._row_bits) - 1 for word in edges]
        self._firsts = [word >> FIRST_BIT for word in edges]
        self._slots = SlotLayout(task.build, task.index)
        depths = {"forward": forward_bank_depth(task.build, task.index)}
        if task.build.training:
            depths["update"] = update_bank_depth(task.build, task.index)
        self._activations = {purpose: np.zeros(depth, dtype=np.int64) for purpose, depth in depths.items()}
        self._sums = np.zeros(delta_bank_depth(task.build, task.index), dtype=np.int64)

    async def load(self) -> None:
        """All activations, and all delta sums to 0."""
        timeline = self._timeline
        for number in range(max(self._slots.slots.values())):
            self._write_activations(number)
        for address in range(len(self._sums)):
            timeline.put(timeline.end, clear_address=address)
            timeline.pulse(timeline.end - 1, "clear_write")
        await timeline.run("loading")

    async def burst(self, blocks: int) -> None:
        """Blocks that follow each other as the schedule allows; the activations of one more sample before, and after
        them all delta sums read."""
        self._write_activations(int(self._rng.integers(max(self._slots.slots.values()))))
        start = self._timeline.end + READ
        for block in range(blocks):
            self._block(start + block * self._build.schedule.period)
        if self._has_deltas:
            self._read_sums()
        await self._timeline.run("blocks")

    def _block(self, begin: int) -> None:
        """One turn of every edge: FF, BP and UP, with slots, deltas and rate at random."""
        network, timeline = self._build.network, self._timeline
        slots = {purpose: int(self._rng.integers(count)) for purpose, count in self._slots.slots.items()}
        delta_set = int(self._rng.integers(max(1, self._plan.delta_sets)))
        rate = int(self._rng.integers(network.rates.least, network.rates.most + 1))
        training = bool(self._rng.random() < 0.8)
        deltas = self._rng.integers(network.formats.delta.min, network.formats.delta.max + 1, size=self._j.cycles)
        for cycle, delta in enumerate(deltas.tolist()):
            at = begin + cycle
            edge = {"weight": self._weights[cycle], "row": self._rows[cycle], "first": self._firsts[cycle]}
            timeline.put(at + READ, **edge)
            self._feed_forward(at, cycle, slots["forward"])
            if self._has_deltas:
                self._backpropagate(at, cycle, delta, delta_set)
            if self._build.training:
                self._update(at, cycle, delta, rate, slots["update"], training)

    def _feed_forward(self, at: int, cycle: int, slot: int) -> None:
        product = self._operand(cycle) * self._activation("forward", cycle, slot)
        self._timeline.put(at + EDGE_READ, control_forward_slot=slot)
        self._expect(at + _MEETS + MULTIPLY, "product", product, "product", cycle)

    def _backpropagate(self, at: int, cycle: int, delta: int, delta_set: int) -> None:
        timeline, address = self._timeline, delta_set << self._row_bits | self._rows[cycle]
        adding = at + BACKPROPAGATE - 1 - READ - SPREAD
        timeline.put(at + _MEETS, deltas_plain_0=delta)
        timeline.put(adding, control_delta_set=delta_set)
        timeline.pulse(adding, "control_delta_add")
        before = 0 if self._firsts[cycle] else self._sums[address]
        self._sums[address] = before + self._operand(cycle) * delta

    def _update(self, at: int, cycle: int, delta: int, rate: int, slot: int, training: bool) -> None:
        f, rates, timeline = self._build.network.formats, self._build.network.rates, self._timeline
        timeline.put(at + EDGE_READ, control_update_slot=slot)
        timeline.put(at + _MEETS, deltas_scaled_0=delta << (rates.most - rate))
        if training:
            written = at + UPDATE - SPREAD
            timeline.pulse(written, "control_update")
            product = delta * self._activation("update", cycle, slot)
            change = rescale(product, f.delta.frac + f.activation.frac + rate, f.weight.frac)
            wanted = self._weights[cycle] - change
            self._weights[cycle] = saturate(wanted, f.weight)
            saturated = int(wanted != self._weights[cycle])
            self._expect(written, "new_weight", self._weights[cycle], "new weight", cycle)
            self._expect(written + 1, "weight_saturated", saturated, "weight_saturated", cycle)

    def _write_activations(self, number: int) -> None:
        """Every row of a sample with this number."""
        fmt, timeline, slots = self._build.network.formats.activation, self._timeline, self._slots.of_sample(number)
        for row, value in enumerate(self._rng.integers(fmt.min, fmt.max + 1, size=self._j.rows).tolist()):
            timeline.put(timeline.end, left_slot=self._slots.number(**slots), left_row=row, left_values_0=value)
            timeline.pulse(timeline.end - 1, "left_write")
            for purpose, slot in slots.items():
                self._activations[purpose][slot << self._row_bits | row] = value

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

    def _activation(self, purpose: str, cycle: int, slot: int) -> int:
        return int(self._activations[purpose][slot << self._row_bits | self._rows[cycle]])
