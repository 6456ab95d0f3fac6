"""Lanes that stand together and share registers for what comes from their junction's control.

Everything comes SPREAD cycles after its turn, in registers that this group has to itself: so no signal drives
more than a few lanes, and the long way over the chip has a whole cycle.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.lane_memories import delta_bank_depth
from presparse.contract.schedule import EDGE_READ, SPREAD
from presparse_hw.core.lane import Lane
from presparse_hw.lib.delays import LOCAL, delay, spread

MAX_LANES = 8
"""Lanes of one group."""
WORD_READ = SPREAD + EDGE_READ + 1
"""Cycles from the turn of an edge to `edge_word`."""


class LaneGroup(wiring.Component):
    """Up to `MAX_LANES` neighbouring lanes of a junction.

    Cycles count from an edge's turn, that is its address here. What goes with an edge comes SPREAD before the lanes
    use it: the junction delays it once for all groups.

    Parameters
    ----------
    build : Build
    index : int        the junction, counted from 0
    lanes : range      numbers of the lanes
    left_values : int  left activations written at once

    Members
    -------
    edge_address : In                 cycle 0
    forward_slot, update_slot : In    cycle EDGE_READ
    write_address : In, update : In(1)  cycle UPDATE - SPREAD: write the edge's new weight
    delta_add : In(1), delta_set : In   cycle BACKPROPAGATE - 1 - READ - SPREAD: the delta bank reads before it adds
    deltas, scaled_deltas : In(signed).array   cycle DELTAS: of all right neurons of the step
    products : Out(signed).array      cycle OPERANDS + MULTIPLY
    left_write, left_slot, left_row, left_values : In   left activations to be written
    left_turn : In                    one bit per group of banks of the junction: whose turn it is
    edge_write : In(1)                write the host's edge at `write_address`
    access_column, access_data : In   host access: the column a cycle before `edge_write`, both held long enough
    edge_word : Out(32)               cycle WORD_READ: of the lane `access_column`, else 0
    weight_saturated : Out.array      cycle UPDATE + 1
    fetch_address : In, fetch_sums : Out.array    delta sums, SPREAD + READ later
    clear, clear_address : In
    """

    edge_address: Signal
    forward_slot: Signal
    update_slot: Signal
    write_address: Signal
    update: Signal
    delta_add: Signal
    delta_set: Signal
    deltas: Sequence[Signal]
    scaled_deltas: Sequence[Signal]
    products: Sequence[Signal]
    left_write: Signal
    left_turn: Signal
    left_slot: Signal
    left_row: Signal
    left_values: Sequence[Signal]
    edge_write: Signal
    access_column: Signal
    access_data: Signal
    edge_word: Signal
    weight_saturated: Sequence[Signal]
    fetch_address: Signal
    fetch_sums: Sequence[Signal]
    clear: Signal
    clear_address: Signal

    def __init__(self, build: Build, index: int, lanes: range, left_values: int) -> None:
        self._build = build
        self._numbers = lanes
        self._junction = j = build.junctions[index]
        self._has_deltas = build.training and index > 0
        plan, f = build.schedule.junctions[index], build.network.formats
        self._lanes = [Lane(build, index) for _ in lanes]
        count = len(lanes)
        members = {
            "edge_address": In(range(j.cycles)),
            "write_address": In(range(j.cycles)),
            "forward_slot": In(range(plan.activation_slots)),
            "products": Out(self._lanes[0].forward_product.shape()).array(count),
            "left_write": In(1),
            "left_turn": In(j.lanes // left_values),
            "left_slot": In(range(plan.activation_slots)),
            "left_row": In(range(j.rows)),
            "left_values": In(signed(f.activation.width)).array(left_values),
            "edge_write": In(1),
            "access_column": In(range(j.lanes)),
            "access_data": In(32),
            "edge_word": Out(32),
        }
        if build.training:
            members |= {
                "update_slot": In(range(plan.activation_slots)),
                "update": In(1),
                "scaled_deltas": In(signed(f.delta.width + build.network.rates.span)).array(j.group),
                "weight_saturated": Out(1).array(count),
            }
        if self._has_deltas:
            depth = range(delta_bank_depth(build, index))
            members |= {
                "delta_add": In(1),
                "delta_set": In(range(plan.delta_sets)),
                "deltas": In(signed(f.delta.width)).array(j.group),
                "fetch_address": In(depth),
                "fetch_sums": Out(signed(build.network.delta_sum_width(j))).array(count),
                "clear": In(1),
                "clear_address": In(depth),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, lane in zip(self._numbers, self._lanes, strict=True):
            m.submodules[f"lane{number}"] = lane
        self._forward(m)
        self._write_left(m)
        self._access(m)
        if self._build.training:
            self._update(m)
        if self._has_deltas:
            self._backpropagate(m)
        return m

    def _forward(self, m: Module) -> None:
        address = spread(m, self.edge_address, name="edge_address")
        written = spread(m, self.write_address, name="write_address")
        slot = spread(m, self.forward_slot, name="forward_slot")
        for lane, product in zip(self._lanes, self.products, strict=True):
            m.d.comb += [
                lane.edge_address.eq(address),
                lane.write_address.eq(written),
                lane.forward_slot.eq(slot),
                product.eq(lane.forward_product),
            ]

    def _write_left(self, m: Module) -> None:
        writes: dict[int, Signal] = {}  # by group of banks; the same in all groups of lanes, so synthesis merges them
        for number in self._numbers:
            group = number // len(self.left_values)
            if group not in writes:
                mine = self.left_write & self.left_turn[group]
                writes[group] = delay(m, mine, SPREAD - 1, name=f"left_write_far{group}", reset=True)
        slot = spread(m, self.left_slot, name="left_slot")
        row = spread(m, self.left_row, name="left_row")
        columns = [number % len(self.left_values) for number in self._numbers]
        values = {c: spread(m, self.left_values[c], name=f"left_value{c}") for c in sorted(set(columns))}
        for number, column, lane in zip(self._numbers, columns, self._lanes, strict=True):
            near = Signal(name=f"left_write{number}", attrs={LOCAL: 1})
            m.d.sync += near.eq(writes[number // len(self.left_values)])
            m.d.comb += [
                lane.activation_write.eq(near),
                lane.activation_slot.eq(slot),
                lane.activation_row.eq(row),
                lane.activation.eq(values[column]),
            ]

    def _access(self, m: Module) -> None:
        write = spread(m, self.edge_write, name="edge_write", reset=True)
        column = spread(m, self.access_column, name="access_column")
        data = spread(m, self.access_data, name="access_data")
        word = Signal(32)
        for number, lane in zip(self._numbers, self._lanes, strict=True):
            chosen = Signal(name=f"chosen{number}")
            m.d.sync += chosen.eq(column == number)
            m.d.comb += [lane.edge_write.eq(write & chosen), lane.edge_data.eq(data)]
            word = word | Mux(chosen, lane.edge_word, 0)
        m.d.sync += self.edge_word.eq(word)

    def _update(self, m: Module) -> None:
        slot = spread(m, self.update_slot, name="update_slot")
        update = spread(m, self.update, name="update", reset=True)
        scaled = self._of_neurons(m, self.scaled_deltas, "scaled_delta")
        for i, lane in enumerate(self._lanes):
            m.d.comb += [
                lane.update_slot.eq(slot),
                lane.update.eq(update),
                lane.scaled_delta.eq(scaled[i]),
                self.weight_saturated[i].eq(lane.weight_saturated),
            ]

    def _backpropagate(self, m: Module) -> None:
        add = spread(m, self.delta_add, name="delta_add", reset=True)
        delta_set = spread(m, self.delta_set, name="delta_set")
        fetch = spread(m, self.fetch_address, name="fetch_address")
        clear = spread(m, self.clear, name="clear", reset=True)
        clear_address = spread(m, self.clear_address, name="clear_address")
        deltas = self._of_neurons(m, self.deltas, "delta")
        for i, lane in enumerate(self._lanes):
            m.d.comb += [
                lane.delta.eq(deltas[i]),
                lane.delta_add.eq(add),
                lane.delta_set.eq(delta_set),
                lane.fetch_address.eq(fetch),
                self.fetch_sums[i].eq(lane.fetch_sum),
                lane.clear.eq(clear),
                lane.clear_address.eq(clear_address),
            ]

    def _of_neurons(self, m: Module, values: Sequence[Signal], name: str) -> list[Signal]:
        """Each lane's own of a value per right neuron of the step."""
        neurons = [number * self._junction.group // self._junction.lanes for number in self._numbers]
        near = {n: spread(m, values[n], name=f"{name}{n}") for n in sorted(set(neurons))}
        return [near[n] for n in neurons]
