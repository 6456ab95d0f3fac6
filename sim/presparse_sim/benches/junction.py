"""One junction, driven at the cycles at which the schedule has the core drive it, against the reference's junction.

Samples follow each other as fast as the schedule allows, with pauses at random; deltas come from nowhere and cover
their whole range.
"""

from __future__ import annotations

import cocotb
import numpy as np
import torch
from cocotb.handle import HierarchyObject
from numpy.typing import NDArray

from presparse.contract.address_map import pack_biases, pack_edges
from presparse.contract.lane_memories import delta_bank_depth, row_bits
from presparse.contract.samples import Samples
from presparse.contract.schedule import BACKPROPAGATE, DELTAS, READ, SPREAD, forward_latency
from presparse.contract.wire import SampleKind
from presparse.model import Model
from presparse.reference.pytorch import ReferenceJunction
from presparse_hw.core.item import ItemLayout
from presparse_hw.core.junction import ACCESS, Junction
from presparse_hw.core.junction_ports import SlotLayout
from presparse_sim.benches.designs import left_values
from presparse_sim.benches.journal import Journal
from presparse_sim.benches.places import Place
from presparse_sim.benches.stimuli import kinds_of, random_model, random_samples
from presparse_sim.benches.streams import clock_cycle
from presparse_sim.benches.task import Task
from presparse_sim.benches.timeline import Timeline


@cocotb.test()
async def junction(dut: HierarchyObject) -> None:
    """Load, then blocks back to back and with pauses, then read back: every output in its cycle, and all weights."""
    task = Task.given()
    with Journal(task, clock_cycle) as journal:
        bench = JunctionBench(dut, task, journal)
        await bench.load()
        await bench.run()
        await bench.check_state()


class JunctionBench:
    """A junction, its timeline, and the reference's junction beside it."""

    def __init__(self, dut: HierarchyObject, task: Task, journal: Journal) -> None:
        self._task, self._journal, self._rng = task, journal, task.rng
        self._build, self._j = task.build, task.junction
        self._plan = task.build.schedule.junctions[task.index]
        self._slots = SlotLayout(task.build, task.index)
        self._at_once = left_values(task.build, task.index)
        self._has_deltas = task.build.training and task.index > 0
        self._timeline = Timeline(dut, Junction(task.build, task.index, self._at_once), journal)
        self._model: Model = random_model(self._rng, task.build.network)
        left, weights, biases = (
            part[task.index] for part in (self._model.left, self._model.weights, self._model.biases)
        )
        self._reference = ReferenceJunction(task.build.network, self._j, left, weights, biases)

    async def load(self) -> None:
        """Edges, biases, and all delta sums to 0."""
        i, j = self._task.index, self._j
        timeline, cycle = self._timeline, 0
        edges = pack_edges(j, self._model.left[i], self._model.weights[i]).reshape(j.cycles, -1)[:, : j.lanes]
        biases = pack_biases(j, self._model.biases[i]).reshape(j.steps, -1)[:, : j.group]
        for port, words in (("edge_words", edges), ("bias_words", biases)):
            for (row, column), word in np.ndenumerate(words):
                self._access(cycle, port, row, column, data=int(word))
                timeline.pulse(cycle, f"{port}_write")
                cycle += ACCESS + 1
        if self._has_deltas:
            for address in range(delta_bank_depth(self._build, i)):
                timeline.put(timeline.end, clear_address=address)
                timeline.pulse(timeline.end - 1, "clear_write")
        timeline.put(timeline.end + ACCESS)
        await timeline.run("loading")

    def _access(self, cycle: int, port: str, row: int, column: int, **data: int) -> None:
        """Choose a word of the host's; what has one row, or one column, has no bits to number them."""
        timeline = self._timeline
        named = {f"{port}_{name}": value for name, value in {"row": row, "column": column, **data}.items()}
        timeline.put(cycle, **{name: value for name, value in named.items() if timeline.holds(name)})

    async def run(self) -> None:
        """All samples, each in the blocks of its FF and of its UP."""
        build, plan, count = self._build, self._plan, self._task.samples
        samples = random_samples(self._rng, build, count, kinds_of(build))
        activation = build.network.formats.activation
        lowest = activation.min if self._task.index == 0 else 0
        left = self._rng.integers(lowest, activation.max + 1, size=(count, self._j.left))
        self._activation_saturations = self._weight_saturations = 0
        for name in ("activation_saturations", "weight_saturations"):
            if self._timeline.holds(name):
                self._timeline.add_up(name)

        blocks = count + max(plan.forward, plan.update)
        begins = self._begins(blocks + plan.delta_sets)
        for k in range(count):
            self._write_left(k, left[k], begins)
        for block in range(blocks):
            start = begins[block] + plan.start + build.schedule.prologue
            self._forward(block, start, samples, left)
            if build.training:
                until = (
                    begins[block + plan.delta_sets] + plan.start + build.schedule.prologue if self._has_deltas else 0
                )
                self._update(block, start, until, samples, left)
            self._timeline.pulse(start, "start")
        self._timeline.put(self._timeline.end + build.schedule.settle)
        await self._timeline.run("blocks")
        self._journal.samples += count
        self._check_totals()

    def _begins(self, blocks: int) -> list[int]:
        """The cycles in which the controller begins blocks: mostly one after the other."""
        period = self._build.schedule.period
        pauses = np.where(self._rng.random(blocks) < 0.7, 0, self._rng.integers(0, period, size=blocks))
        return (period * (1 + np.arange(blocks)) + np.cumsum(pauses)).tolist()

    def _write_left(self, k: int, values: NDArray[np.int64], begins: list[int]) -> None:
        """Left activations of sample k, when the loader or the junction before would write them."""
        i, timeline = self._task.index, self._timeline
        writes = values.reshape(-1, self._at_once).tolist()
        if i == 0:  # one sample ahead
            first, every = (begins[k - 1] if k else begins[0] - self._build.schedule.period), 1
        else:
            before, schedule = self._build.junctions[i - 1], self._build.schedule
            plan = schedule.junctions[i - 1]
            started = begins[k + plan.forward] + plan.start + schedule.prologue
            first, every = started + before.cycles_per_step + forward_latency(before), before.cycles_per_step
        for number, part in enumerate(writes):
            cycle = first + number * every
            named = {f"left_values_{n}": value for n, value in enumerate(part)}
            timeline.put(cycle, left_slot=self._slots.number(**self._slots.of_sample(k)), **named)
            timeline.pulse(cycle, "left_write")

    def _forward(self, block: int, start: int, samples: Samples, left: NDArray[np.int64]) -> None:
        """FF: what goes in with the block's start, and the right activations to come."""
        j, k = self._j, block - self._plan.forward
        if not 0 <= k < len(samples):
            self._timeline.put(start, forward_item=0)
            return
        item = self._item(samples, k)
        self._timeline.put(start, forward_item=item)
        reference = self._reference
        activations, derivatives, saturated = reference.activate(reference.sums(self._inputs(left[k])))
        self._activation_saturations += saturated
        for right in range(j.right):
            step, column = divmod(right, j.group)
            cycle = start + (step + 1) * j.cycles_per_step + forward_latency(j)
            self._timeline.expect(cycle, "right_valid", 1, Place.of_neuron(j, right, "right_valid"))
            self._timeline.expect(cycle, "right_item", item, Place.of_neuron(j, right, "right_item"))
            values = [("right_values", "right activation", activations)]
            if self._build.training and not j.is_output and derivatives is not None:
                values.append(("right_derivatives", "derivative", derivatives))
            for port, what, numbers in values:
                number = int(numbers[right])
                self._timeline.expect(cycle, f"{port}_{column}", number, Place.of_neuron(j, right, what))

    def _update(self, block: int, start: int, until: int, samples: Samples, left: NDArray[np.int64]) -> None:
        """BP and UP: deltas for every step, and the delta sums to come, unless they are overwritten from `until` on."""
        j, k, network, timeline = self._j, block - self._plan.update, self._build.network, self._timeline
        real = 0 <= k < len(samples)
        timeline.put(start, update_item=self._item(samples, k) if real else 0)
        delta = self._rng.integers(network.formats.delta.min, network.formats.delta.max + 1, size=j.right)
        rate = int(samples.rates[k]) if real and samples.kinds[k] == SampleKind.TRAIN else network.rates.most
        for right, value in enumerate(delta.tolist()):
            step, column = divmod(right, j.group)
            cycle = start + 1 + step * j.cycles_per_step + DELTAS
            timeline.put(cycle, **{f"deltas_scaled_{column}": value << (network.rates.most - rate)})
            if self._has_deltas:
                timeline.put(cycle, **{f"deltas_plain_{column}": value})
        if self._has_deltas:
            self._fetch(block, start, until, self._reference.backpropagate(torch.tensor(delta)).tolist())
        if real and samples.kinds[k] == SampleKind.TRAIN:
            self._weight_saturations += self._reference.update(torch.tensor(delta), self._inputs(left[k]), rate)

    def _fetch(self, block: int, start: int, until: int, sums: list[int]) -> None:
        """Read this block's delta sums, as many rows as there is time for."""
        j, sets = self._j, self._plan.delta_sets
        last = self._last_edges()
        first = start + j.cycles + BACKPROPAGATE + 1
        for number, row in enumerate(self._rng.permutation(j.rows).tolist()):
            cycle = first + number - SPREAD  # the address takes as long to the banks
            if first + number >= until + 1 + BACKPROPAGATE:
                break
            self._timeline.put(cycle, sums_address=block % sets << row_bits(self._build, self._task.index) | row)
            for lane in range(j.lanes):
                neuron = row * j.lanes + lane
                what = f"delta sum of left neuron {neuron}"
                place = Place(what=what, junction=j.index, cycle=last[neuron], lane=lane)
                self._timeline.expect(cycle + SPREAD + READ, f"sums_values_{lane}", sums[neuron], place)

    def _last_edges(self) -> list[int]:
        """The cycle of every left neuron's last edge."""
        j, last = self._j, [0] * self._j.left
        for edge, neuron in enumerate(self._model.left[self._task.index].reshape(-1).tolist()):
            last[neuron] = edge // j.lanes
        return last

    def _inputs(self, left: NDArray[np.int64]) -> torch.Tensor:
        return self._reference.gather(torch.tensor(left))

    def _item(self, samples: Samples, k: int) -> int:
        kind, rates = SampleKind(int(samples.kinds[k])), self._build.network.rates
        shift = rates.most - int(samples.rates[k]) if kind == SampleKind.TRAIN else 0
        return ItemLayout(self._build).const({"kind": kind, "shift": shift, "label": int(samples.labels[k])}).as_bits()

    def _check_totals(self) -> None:
        wanted = {"activation_saturations": self._activation_saturations}
        if self._build.training:
            wanted["weight_saturations"] = self._weight_saturations
        for name, expected in wanted.items():
            got = self._timeline.total(name)
            assert got == expected, f"junction {self._j.index}, {name}: expected {expected}, got {got}"
            self._journal.compared += 1

    async def check_state(self) -> None:
        """Every edge and bias, read as the host reads them."""
        i, j, timeline, cycle = self._task.index, self._j, self._timeline, 0
        left = self._model.left[i]
        weights, biases = self._reference.weights.numpy(), self._reference.biases.numpy()
        edges = pack_edges(j, left, weights).reshape(j.cycles, -1)
        for row, column in np.ndindex(j.cycles, j.lanes):
            right, number = divmod(row * j.lanes + column, j.in_degree)
            self._access(cycle, "edge_words", row, column)
            place = Place.of_edge(j, right, number, "edge word (weight, row, first)")
            timeline.expect(cycle + ACCESS, "edge_words_word", int(edges[row, column]), place)
            cycle += ACCESS + 1
        words = pack_biases(j, biases).reshape(j.steps, -1)
        for row, column in np.ndindex(j.steps, j.group):
            self._access(cycle, "bias_words", row, column)
            place = Place.of_neuron(j, row * j.group + column, "bias word")
            timeline.expect(cycle + ACCESS, "bias_words_word", int(words[row, column]), place)
            cycle += ACCESS + 1
        await timeline.run("reading back")
