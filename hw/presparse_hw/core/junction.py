"""One junction: z lanes in groups, the right neurons in work, their biases, and the timing of a block.

    edges' turns -> lanes -> right neurons: adder tree, accumulate + bias, activate -> right activations
                     ^ deltas of the right neurons, from DeltaFetch or OutputDelta

Cycles count from an edge's turn, its issue cycle, which reaches the lanes SPREAD cycles later. Right activations
come out `forward_latency` cycles after the last edge of their step; new weights are written `UPDATE` cycles after
their edge's turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.lane_memories import lane_groups
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
from presparse_hw.core.junction_ports import (
    BankWrite,
    DeltaClear,
    Deltas,
    DeltaSums,
    EdgeControl,
    HostAccess,
    LeftValues,
    RightValues,
    SlotLayout,
    has_deltas,
)
from presparse_hw.core.lane_group import WORD_READ, LaneGroup
from presparse_hw.core.right_neuron import RightNeuron
from presparse_hw.lib.adder_tree import AdderTree
from presparse_hw.lib.delays import LOCAL, ages, delay
from presparse_hw.lib.sequencer import Sequencer, count_modulo

ACCESS = max(WORD_READ + 2, UPDATE + 1)
"""Cycles until a word read by the host is there, or one written has been."""
_NEIGHBORS = 4
"""Groups of lanes whose words for the host come together in one cycle."""


class Junction(wiring.Component):
    """FF, BP and UP of one junction.

    Parameters
    ----------
    build : Build
    index : int        the junction, counted from 0
    left_values : int  left activations written at once; divides the lanes

    Members (`presparse_hw.core.junction_ports`)
    -------
    start : In(1)      the turn of the block's first edges is the next cycle
    forward_item, update_item : In(ItemLayout)  the samples of FF, and of BP and UP; read with `start`
    left : In(LeftValues), left_slot : In(SlotLayout)  the next left activations of a sample, and the sample's slots
    left_done : Out(1) this write completes a sample
    left_restart : In(1)  the next write is a sample's first; also after a restart of the core
    right : Out(RightValues)
    deltas : In(Deltas)   cycle DELTAS of the step's edges (training builds)
    sums : In(DeltaSums)  of the left neurons, SPREAD + READ cycles (training builds, from junction 2 on)
    clear : In(DeltaClear)  there, too
    activation_saturations, weight_saturations : Out  events to count, a few cycles late
    edge_words, bias_words : In(HostAccess)  a row per cycle of a block, or per step; row, column and data are held
        until `ACCESS` cycles after a write; words come ACCESS cycles after row and column
    """

    start: Signal
    forward_item: data.View
    update_item: data.View
    left: wiring.PureInterface
    left_slot: data.View
    left_done: Signal
    left_restart: Signal
    right: wiring.PureInterface
    deltas: wiring.PureInterface
    sums: wiring.PureInterface
    clear: wiring.PureInterface
    activation_saturations: Signal
    weight_saturations: Signal
    edge_words: wiring.PureInterface
    bias_words: wiring.PureInterface

    def __init__(self, build: Build, index: int, left_values: int) -> None:
        self._build = build
        self._index = index
        self._junction = j = build.junctions[index]
        self._plan = build.schedule.junctions[index]
        self._has_deltas = has_deltas(build, index)
        self._write = UPDATE - SPREAD if build.training else 0  # cycles from an edge's turn to its write
        self._neurons = [RightNeuron(build, index) for _ in range(j.group)]
        item = ItemLayout(build)
        members = {
            "start": In(1),
            "forward_item": In(item),
            "left": In(LeftValues(build, left_values)),
            "left_slot": In(SlotLayout(build, index)),
            "left_done": Out(1),
            "left_restart": In(1),
            "right": Out(RightValues(build, index)),
            "activation_saturations": Out(range(j.group + 1)),
            "edge_words": In(HostAccess(rows=j.cycles, columns=j.lanes)),
            "bias_words": In(HostAccess(rows=j.steps, columns=j.group)),
        }
        if build.training:
            members |= {
                "update_item": In(item),
                "deltas": In(Deltas(build, index, j.group)),
                "weight_saturations": Out(range(j.lanes + j.group + 1)),
            }
        if self._has_deltas:
            members |= {"sums": In(DeltaSums(build, index, j.lanes)), "clear": In(DeltaClear(build, index))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = walk = Sequencer(self._junction)
        m.d.comb += walk.start.eq(self.start)
        m.submodules.biases = biases = BiasMemory(self._build, self._index)
        groups = []
        for number, lanes in enumerate(lane_groups(self._junction)):
            groups.append(LaneGroup(self._build, self._index, lanes, len(self.left.values)))
            m.submodules[f"lanes{number}"] = groups[-1]
        edge = EdgeControl(self._build, self._index).create(path=("edge",))
        wiring.connect(m, edge, *(lanes.edge for lanes in groups))
        self._write_left(m, groups)
        self._forward(m, walk, edge, groups, biases)
        if self._build.training:
            self._update(m, walk, edge, groups, biases)
        if self._has_deltas:
            self._backpropagate(m, walk, edge, groups)
        self._access(m, walk, edge, groups)
        wiring.connect(m, wiring.flipped(self.bias_words), biases.words)
        return m

    def _write_left(self, m: Module, groups: list[LaneGroup]) -> None:
        """Left activations go to banks in natural order: a group of banks after the other, then the next row."""
        j = self._junction
        # One bit per group of banks: a number would have to be decoded all over the chip.
        at_once = len(self.left.values)
        turn = Signal(j.lanes // at_once, init=1, reset_less=True)
        row = Signal(range(j.rows), reset_less=True)
        m.d.comb += self.left_done.eq(self.left.write & turn[-1] & (row == j.rows - 1))
        with m.If(self.left_restart):
            m.d.sync += [turn.eq(1), row.eq(0)]
        with m.Elif(self.left.write):
            m.d.sync += turn.eq(turn.rotate_left(1))
            with m.If(turn[-1]):
                count_modulo(m, row, j.rows)
        left = BankWrite(self._build, self._index, values=at_once, groups=len(turn)).create(path=("bank_write",))
        # A gate at each of the registers behind: of a choice synthesis makes a reset of them all, by one gate far away.
        writes = turn & self.left.write.replicate(len(turn))
        m.d.comb += [left.write.eq(writes), left.slot.eq(self.left_slot), left.row.eq(row)]
        m.d.comb += [into.eq(value) for into, value in zip(left.values, self.left.values, strict=True)]
        wiring.connect(m, left, *(lanes.left for lanes in groups))

    def _forward(
        self, m: Module, walk: Sequencer, edge: wiring.PureInterface, groups: list[LaneGroup], biases: BiasMemory
    ) -> None:
        """FF: products to the right neurons' sums, out as right activations."""
        j, plan, right = self._junction, self._plan, self.right
        latency = forward_latency(j)
        item = Signal.like(self.forward_item)
        slot = Signal(range(plan.forward_slots), init=(-plan.forward - 1) % plan.forward_slots)
        with m.If(self.start):
            m.d.sync += item.eq(self.forward_item)
            count_modulo(m, slot, plan.forward_slots)

        summed = OPERANDS + MULTIPLY + tree_levels(min(j.lanes, j.in_degree))
        first = ages(m, walk.first, summed, name="first", reset=True)
        bias = self._read_biases(m, walk, first, biases)
        m.d.comb += edge.forward_slot.eq(delay(m, slot, EDGE_READ, name="forward_slot"))
        products = [product for lanes in groups for product in lanes.products]
        inputs = j.lanes // j.group
        for i, neuron in enumerate(self._neurons):
            m.submodules[f"neuron{i}"] = neuron
            for into, product in zip(neuron.products, products[i * inputs :], strict=False):
                m.d.comb += into.eq(product)
            if j.cycles_per_step > 1:  # a register of its own: neurons stand among their lanes
                begins = Signal(name=f"neuron{i}_begins", reset_less=True, attrs={LOCAL: 1})
                m.d.sync += begins.eq(first[-2])
                m.d.comb += neuron.first.eq(begins)
            else:
                m.d.comb += neuron.first.eq(1)
            m.d.comb += [
                neuron.bias.eq(bias[i]),
                right.values[i].eq(neuron.activation),
            ]
            if self._build.training and not j.is_output:
                m.d.comb += right.derivatives[i].eq(neuron.derivative)
        m.d.comb += [
            right.valid.eq(delay(m, walk.last, latency, name="right_valid", reset=True)),
            right.item.eq(delay(m, item, latency, name="right_item")),
        ]
        real = right.valid & (right.item.kind != SampleKind.FLUSH)
        m.d.sync += self.activation_saturations.eq(Mux(real, sum(n.saturated for n in self._neurons), 0))

    def _read_biases(self, m: Module, walk: Sequencer, first: Sequence[Signal], biases: BiasMemory) -> Sequence[Signal]:
        """The step's biases in the cycle of `first[-1]`."""
        before = len(first) - 1 - READ
        if self._build.training:  # read with the step's first edges, for UP's sake, and delayed for FF
            m.d.comb += [biases.read.eq(walk.active), biases.step.eq(walk.step)]
            return [delay(m, bias, before, name=f"bias{i}") for i, bias in enumerate(biases.biases)]
        step = Signal(range(self._junction.steps), name="bias_step")
        m.d.comb += [biases.read.eq(first[before]), biases.step.eq(step)]
        with m.If(biases.read):
            count_modulo(m, step, self._junction.steps)
        return biases.biases

    def _update(
        self, m: Module, walk: Sequencer, edge: wiring.PureInterface, groups: list[LaneGroup], biases: BiasMemory
    ) -> None:
        """UP: what lanes and biases need to write new weights back."""
        j, plan = self._junction, self._plan
        training = Signal()
        slot = Signal(range(plan.activation_slots), init=(-plan.update - 1) % plan.activation_slots)
        with m.If(self.start):
            m.d.sync += training.eq(self.update_item.kind == SampleKind.TRAIN)
            count_modulo(m, slot, plan.activation_slots)
        m.d.comb += [
            edge.update_slot.eq(delay(m, slot, EDGE_READ, name="update_slot")),
            edge.update.eq(delay(m, walk.active & training, UPDATE - SPREAD, name="update", reset=True)),
            biases.update.eq(delay(m, walk.first & training, WRITE, name="update_bias", reset=True)),
            biases.write_step.eq(delay(m, walk.step, WRITE, name="step")),
        ]
        wiring.connect(m, wiring.flipped(self.deltas), biases.deltas, *(lanes.deltas for lanes in groups))
        m.submodules.saturations = saturations = AdderTree(1, j.lanes + j.group)
        flags = [*(flag for lanes in groups for flag in lanes.weight_saturated), *biases.saturated]
        m.d.comb += [term.eq(flag) for term, flag in zip(saturations.terms, flags, strict=True)]
        m.d.comb += self.weight_saturations.eq(saturations.total)

    def _backpropagate(self, m: Module, walk: Sequencer, edge: wiring.PureInterface, groups: list[LaneGroup]) -> None:
        """BP: which set of delta sums the lanes add to, and the sums' way out."""
        plan = self._plan
        current = Signal(range(plan.delta_sets), init=plan.delta_sets - 1)
        with m.If(self.start):
            count_modulo(m, current, plan.delta_sets)
        adding = BACKPROPAGATE - 1 - READ - SPREAD
        m.d.comb += [
            edge.delta_add.eq(delay(m, walk.active, adding, name="delta_add", reset=True)),
            edge.delta_set.eq(delay(m, current, adding, name="delta_set")),
        ]
        m.d.comb += [lanes.sums.address.eq(self.sums.address) for lanes in groups]
        sums = [delta_sum for lanes in groups for delta_sum in lanes.sums.values]
        m.d.comb += [out.eq(delta_sum) for out, delta_sum in zip(self.sums.values, sums, strict=True)]
        wiring.connect(m, wiring.flipped(self.clear), *(lanes.clear for lanes in groups))

    def _access(self, m: Module, walk: Sequencer, edge: wiring.PureInterface, groups: list[LaneGroup]) -> None:
        """Addresses come from the block that runs, or from the host when none does."""
        host = self.edge_words
        m.d.comb += [
            edge.address.eq(Mux(walk.active, walk.cycle, host.row)),
            edge.write_address.eq(delay(m, edge.address, self._write, name="write_address")),
        ]
        # The host's row, column and data are held; its write comes no earlier than the lane is chosen, a cycle later.
        write = delay(m, host.write, max(1, self._write), name="edge_write", reset=True)
        for part in (lanes.words for lanes in groups):
            m.d.comb += [part.write.eq(write), part.column.eq(host.column), part.data.eq(host.data)]
        words = [lanes.words.word for lanes in groups]
        if len(words) > _NEIGHBORS:  # they stand all over the chip
            words = [_register(m, _any(words[i : i + _NEIGHBORS])) for i in range(0, len(words), _NEIGHBORS)]
        m.d.sync += host.word.eq(_any(words))


def _register(m: Module, word: Value) -> Signal:
    register = Signal(word.shape(), reset_less=True)
    m.d.sync += register.eq(word)
    return register


def _any(words: Iterable[Value]) -> Value:
    """The one word of which not all bits are 0, if there is one."""
    return reduce(or_, words)
