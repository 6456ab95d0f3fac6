"""One junction: z lanes in groups, the right neurons in work, their biases, and the timing of a block.

    edges' turns -> lanes -> right neurons: adder tree, accumulate + bias, activate -> right activations
                     ^ deltas of the right neurons, from DeltaFetch or OutputDelta

Cycles count from an edge's turn, which reaches the lanes SPREAD cycles later. Right activations come out
`forward_latency` cycles after the last edge of their step; new weights are written `UPDATE` cycles after their
edge's turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import WEIGHT_BITS
from presparse.contract.build import Build
from presparse.contract.lane_memories import delta_bank_depth
from presparse.contract.schedule import (
    BACKPROPAGATE,
    EDGE_READ,
    MULTIPLY,
    OPERANDS,
    READ,
    SPREAD,
    UPDATE,
    forward_latency,
    tree_levels,
)
from presparse.contract.wire import SampleKind
from presparse_hw.core.bias import WRITE, BiasMemory
from presparse_hw.core.item import ItemLayout
from presparse_hw.core.lane_group import MAX_LANES, WORD_READ, LaneGroup
from presparse_hw.core.right_neuron import RightNeuron
from presparse_hw.lib.adder_tree import AdderTree
from presparse_hw.lib.delays import ages, delay
from presparse_hw.lib.sequencer import Sequencer, count_modulo

ACCESS = max(WORD_READ + 2, UPDATE + 1)
"""Cycles until a word read by the host is there, or one written has been."""
_NEIGHBOURS = 4
"""Groups of lanes whose words for the host come together in one cycle."""


class Junction(wiring.Component):
    """FF, BP and UP of one junction.

    Parameters
    ----------
    build : Build
    index : int        the junction, counted from 0
    left_values : int  left activations written at once; divides the lanes

    Members
    -------
    start : In(1)      the turn of the block's first edges is the next cycle
    forward_item, update_item : In  the samples of FF, and of BP and UP; read with `start`
    left_write : In(1), left_values : In(signed).array, left_slot : In
        the next left activations of a sample, in order of left neurons
    left_done : Out(1) this write completes a sample
    left_restart : In(1)  the next write is a sample's first; also after a restart of the core
    right_valid : Out(1), right_values, derivatives : Out.array(group), right_item : Out
        a step's right activations and the sample they belong to
    deltas, scaled_deltas : In.array(group)  cycle DELTAS of the step's edges, held for the step
    fetch_address : In, fetch_sums : Out.array(lanes)  delta sums of the left neurons, SPREAD + READ cycles later
    clear : In(1), clear_address : In  write 0 to all banks' delta sums at this address
    activation_saturations, weight_saturations : Out  events to count, a few cycles late
    access_row, access_column, access_data, edge_write, bias_write : In
        host access while no block runs; row, column and data are held until `ACCESS` cycles after a write
    edge_word, bias_word : Out  ACCESS cycles after `access_row` and `access_column`
    """

    start: Signal
    forward_item: data.View
    update_item: data.View
    left_write: Signal
    left_values: Sequence[Signal]
    left_slot: Signal
    left_done: Signal
    left_restart: Signal
    right_valid: Signal
    right_values: Sequence[Signal]
    derivatives: Sequence[Signal]
    right_item: data.View
    deltas: Sequence[Signal]
    scaled_deltas: Sequence[Signal]
    fetch_address: Signal
    fetch_sums: Sequence[Signal]
    clear: Signal
    clear_address: Signal
    activation_saturations: Signal
    weight_saturations: Signal
    access_row: Signal
    access_column: Signal
    access_data: Signal
    edge_write: Signal
    bias_write: Signal
    edge_word: Signal
    bias_word: Signal

    def __init__(self, build: Build, index: int, left_values: int) -> None:
        self._build = build
        self._index = index
        self._junction = j = build.junctions[index]
        self._plan = plan = build.schedule.junctions[index]
        self._has_deltas = build.training and index > 0
        self._write = UPDATE - SPREAD if build.training else 0  # cycles from an edge's turn to its write
        f = build.network.formats
        self._neurons = [RightNeuron(build, index) for _ in range(j.group)]
        item = ItemLayout(build)
        members = {
            "start": In(1),
            "forward_item": In(item),
            "left_write": In(1),
            "left_values": In(signed(f.activation.width)).array(left_values),
            "left_slot": In(range(plan.activation_slots)),
            "left_done": Out(1),
            "left_restart": In(1),
            "right_valid": Out(1),
            "right_values": Out(self._neurons[0].activation.shape()).array(j.group),
            "derivatives": Out(self._neurons[0].derivative.shape()).array(j.group),
            "right_item": Out(item),
            "activation_saturations": Out(range(j.group + 1)),
            "access_row": In(range(max(j.cycles, j.steps))),
            "access_column": In(range(max(j.lanes, j.group))),
            "access_data": In(32),
            "edge_write": In(1),
            "bias_write": In(1),
            "edge_word": Out(32),
            "bias_word": Out(32),
        }
        if build.training:
            members |= {
                "update_item": In(item),
                "scaled_deltas": In(signed(f.delta.width + build.network.rates.span)).array(j.group),
                "weight_saturations": Out(range(j.lanes + j.group + 1)),
            }
        if self._has_deltas:
            depth = range(delta_bank_depth(build, index))
            members |= {
                "deltas": In(signed(f.delta.width)).array(j.group),
                "fetch_address": In(depth),
                "fetch_sums": Out(signed(build.network.delta_sum_width(j))).array(j.lanes),
                "clear": In(1),
                "clear_address": In(depth),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = walk = Sequencer(self._junction)
        m.d.comb += walk.start.eq(self.start)
        m.submodules.biases = biases = BiasMemory(self._build, self._index)
        lanes = range(self._junction.lanes)
        groups = []
        for number, first in enumerate(range(0, len(lanes), MAX_LANES)):
            part = lanes[first : first + MAX_LANES]
            groups.append(LaneGroup(self._build, self._index, part, len(self.left_values)))
            m.submodules[f"lanes{number}"] = groups[-1]
        self._write_left(m, groups)
        self._forward(m, walk, groups, biases)
        if self._build.training:
            self._update(m, walk, groups, biases)
        if self._has_deltas:
            self._backpropagate(m, walk, groups)
        self._access(m, walk, groups, biases)
        return m

    def _write_left(self, m: Module, groups: list[LaneGroup]) -> None:
        """Left activations go to banks in natural order: a group of banks after the other, then the next row."""
        j = self._junction
        # One bit per group of banks: a number would have to be decoded all over the chip.
        turn = Signal(j.lanes // len(self.left_values), init=1, reset_less=True)
        row = Signal(range(j.rows), reset_less=True)
        m.d.comb += self.left_done.eq(self.left_write & turn[-1] & (row == j.rows - 1))
        with m.If(self.left_restart):
            m.d.sync += [turn.eq(1), row.eq(0)]
        with m.Elif(self.left_write):
            m.d.sync += turn.eq(turn.rotate_left(1))
            with m.If(turn[-1]):
                count_modulo(m, row, j.rows)
        for lanes in groups:
            m.d.comb += [
                lanes.left_write.eq(self.left_write),
                lanes.left_turn.eq(turn),
                lanes.left_slot.eq(self.left_slot),
                lanes.left_row.eq(row),
            ]
            m.d.comb += [into.eq(value) for into, value in zip(lanes.left_values, self.left_values, strict=True)]

    def _forward(self, m: Module, walk: Sequencer, groups: list[LaneGroup], biases: BiasMemory) -> None:
        """FF: products to the right neurons' sums, out as right activations."""
        j, plan = self._junction, self._plan
        latency = forward_latency(j)
        item = Signal.like(self.forward_item)
        slot = Signal(range(plan.activation_slots), init=(-plan.forward - 1) % plan.activation_slots)
        with m.If(self.start):
            m.d.sync += item.eq(self.forward_item)
            count_modulo(m, slot, plan.activation_slots)

        summed = OPERANDS + MULTIPLY + tree_levels(min(j.lanes, j.in_degree))
        first = ages(m, walk.first, summed, name="first", reset=True)
        bias = self._read_biases(m, walk, first, biases)
        slot = delay(m, slot, EDGE_READ, name="forward_slot")
        m.d.comb += [lanes.forward_slot.eq(slot) for lanes in groups]
        products = [product for lanes in groups for product in lanes.products]
        inputs = j.lanes // j.group
        for i, neuron in enumerate(self._neurons):
            m.submodules[f"neuron{i}"] = neuron
            for into, product in zip(neuron.products, products[i * inputs :], strict=False):
                m.d.comb += into.eq(product)
            m.d.comb += [
                neuron.first.eq(first[-1]),
                neuron.bias.eq(bias[i]),
                self.right_values[i].eq(neuron.activation),
                self.derivatives[i].eq(neuron.derivative),
            ]
        m.d.comb += [
            self.right_valid.eq(delay(m, walk.last, latency, name="right_valid", reset=True)),
            self.right_item.eq(delay(m, item, latency, name="right_item")),
        ]
        real = self.right_valid & (self.right_item.kind != SampleKind.FLUSH)
        m.d.sync += self.activation_saturations.eq(Mux(real, sum(n.saturated for n in self._neurons), 0))

    def _read_biases(self, m: Module, walk: Sequencer, first: Sequence[Signal], biases: BiasMemory) -> Sequence[Signal]:
        """The step's biases in the cycle of `first[-1]`; the host's whenever none of a block is read."""
        step, before = Signal(range(self._junction.steps), name="bias_step"), len(first) - 1 - READ
        if self._build.training:  # read with the step's first edges, for UP's sake, and delayed for FF
            m.d.comb += [step.eq(walk.step), biases.step.eq(Mux(walk.active, step, self.access_row))]
            return [delay(m, bias, before, name=f"bias{i}") for i, bias in enumerate(biases.biases)]
        due = first[before]
        with m.If(due):
            count_modulo(m, step, self._junction.steps)
        m.d.comb += biases.step.eq(Mux(due, step, self.access_row))
        return biases.biases

    def _update(self, m: Module, walk: Sequencer, groups: list[LaneGroup], biases: BiasMemory) -> None:
        """UP: what lanes and biases need to write new weights back."""
        j, plan = self._junction, self._plan
        training = Signal()
        slot = Signal(range(plan.activation_slots), init=(-plan.update - 1) % plan.activation_slots)
        with m.If(self.start):
            m.d.sync += training.eq(self.update_item.kind == SampleKind.TRAIN)
            count_modulo(m, slot, plan.activation_slots)
        slot = delay(m, slot, EDGE_READ, name="update_slot")
        update = delay(m, walk.active & training, UPDATE - SPREAD, name="update", reset=True)
        for lanes in groups:
            m.d.comb += [lanes.update_slot.eq(slot), lanes.update.eq(update)]
        for sink in (*groups, biases):
            m.d.comb += [b.eq(d) for b, d in zip(sink.scaled_deltas, self.scaled_deltas, strict=True)]
        m.d.comb += biases.update.eq(delay(m, walk.first & training, WRITE, name="update_bias", reset=True))
        m.submodules.saturations = saturations = AdderTree(1, j.lanes + j.group, reset=True)
        flags = [*(flag for lanes in groups for flag in lanes.weight_saturated), *biases.saturated]
        m.d.comb += [term.eq(flag) for term, flag in zip(saturations.terms, flags, strict=True)]
        m.d.comb += self.weight_saturations.eq(saturations.total)

    def _backpropagate(self, m: Module, walk: Sequencer, groups: list[LaneGroup]) -> None:
        """BP: deltas to the lanes, and which set of delta sums they add to."""
        plan = self._plan
        current = Signal(range(plan.delta_sets), init=plan.delta_sets - 1)
        with m.If(self.start):
            count_modulo(m, current, plan.delta_sets)
        adding = BACKPROPAGATE - 1 - READ - SPREAD
        add = delay(m, walk.active, adding, name="delta_add", reset=True)
        delta_set = delay(m, current, adding, name="delta_set")
        for lanes in groups:
            m.d.comb += [into.eq(delta) for into, delta in zip(lanes.deltas, self.deltas, strict=True)]
            m.d.comb += [
                lanes.delta_add.eq(add),
                lanes.delta_set.eq(delta_set),
                lanes.fetch_address.eq(self.fetch_address),
                lanes.clear.eq(self.clear),
                lanes.clear_address.eq(self.clear_address),
            ]
        sums = [delta_sum for lanes in groups for delta_sum in lanes.fetch_sums]
        m.d.comb += [out.eq(delta_sum) for out, delta_sum in zip(self.fetch_sums, sums, strict=True)]

    def _access(self, m: Module, walk: Sequencer, groups: list[LaneGroup], biases: BiasMemory) -> None:
        """Addresses come from the block that runs, or from the host when none does."""
        address = Signal(range(self._junction.cycles))
        m.d.comb += address.eq(Mux(walk.active, walk.cycle, self.access_row))
        # The host's row, column and data are held; its write comes no earlier than the lane is chosen, a cycle later.
        written = delay(m, address, self._write, name="write_address")
        write = delay(m, self.edge_write, max(1, self._write), name="edge_write", reset=True)
        for lanes in groups:
            m.d.comb += [
                lanes.edge_address.eq(address),
                lanes.write_address.eq(written),
                lanes.edge_write.eq(write),
                lanes.access_column.eq(self.access_column),
                lanes.access_data.eq(self.access_data),
            ]
        words = [lanes.edge_word for lanes in groups]
        if len(words) > _NEIGHBOURS:  # they stand all over the chip
            words = [_register(m, _any(words[i : i + _NEIGHBOURS])) for i in range(0, len(words), _NEIGHBOURS)]
        m.d.sync += self.edge_word.eq(_any(words))
        written_step = delay(m, walk.step, WRITE, name="step") if self._build.training else self.access_row
        m.d.comb += [
            biases.write_step.eq(Mux(self.bias_write, self.access_row, written_step)),
            biases.host_write.eq(self.bias_write),
            biases.host_column.eq(self.access_column),
            biases.host_data.eq(self.access_data[:WEIGHT_BITS]),
        ]
        chosen = (Mux(self.access_column == i, bias, 0) for i, bias in enumerate(biases.biases))
        m.d.sync += self.bias_word[:WEIGHT_BITS].eq(_any(chosen))


def _register(m: Module, word: Value) -> Signal:
    register = Signal(word.shape(), reset_less=True)
    m.d.sync += register.eq(word)
    return register


def _any(words: Iterable[Value]) -> Value:
    """The one word of which not all bits are 0, if there is one."""
    return reduce(or_, words)
