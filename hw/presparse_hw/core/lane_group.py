"""Lanes that stand together behind fan-out registers, their own copies of what comes from their junction's control,
and the memory of their edges.

Everything comes to the lanes SPREAD cycles late, from registers that this group has to itself: so no signal drives
more than a few lanes, and the long way over the chip has a whole cycle.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import FIRST_BIT, WEIGHT_BITS
from presparse.contract.build import Build
from presparse.contract.lane_memories import edge_fields
from presparse.contract.schedule import READ, SPREAD
from presparse_hw.core.junction_ports import (
    BankWrite,
    DeltaClear,
    Deltas,
    DeltaSums,
    EdgeControl,
    HostAccess,
    has_deltas,
)
from presparse_hw.core.lane import Lane
from presparse_hw.lib.delays import LOCAL, delay, spread
from presparse_hw.lib.registered_memory import RegisteredMemory

WORD_READ = SPREAD + READ + 1
"""Cycles from the issue cycle of an edge to its word at the group."""


class LaneGroup(wiring.Component):
    """Up to `LANE_GROUP` neighboring lanes of a junction. Their edges are words of one memory, as they are read and
    written at the same addresses; each lane's weight, and its row, can be written by itself.

    No register of it is reset: lanes are all over the chip, and a restart lasts until what was under way in them is
    through.

    Cycles count from an edge's issue cycle ("turn"): that of its address here. What goes with an edge comes SPREAD
    before the lanes use it: the junction delays it once for all groups.

    Parameters
    ----------
    build : Build
    index : int        the junction, counted from 0
    lanes : range      numbers of the lanes
    left_values : int  left activations written at once

    Members (`presparse_hw.core.junction_ports`)
    -------
    edge : In(EdgeControl)
    left : In(BankWrite)
    words : In(HostAccess)        by column, which comes a cycle before `write`; writes the edge at
        `edge.write_address`; of the edge at `edge.address` `word` comes in cycle WORD_READ, 0 if another group has it
    products : Out(signed).array(lanes)      cycle OPERANDS + MULTIPLY
    deltas : In(Deltas)                      cycle DELTAS: of all right neurons of the step (training builds)
    weight_saturated : Out(1).array(lanes)   cycle UPDATE + 1 (training builds)
    sums : In(DeltaSums)          SPREAD + READ cycles (training builds, from junction 2 on)
    clear : In(DeltaClear)        there, too
    """

    edge: wiring.PureInterface
    left: wiring.PureInterface
    words: wiring.PureInterface
    products: Sequence[Signal]
    deltas: wiring.PureInterface
    weight_saturated: Sequence[Signal]
    sums: wiring.PureInterface
    clear: wiring.PureInterface

    def __init__(self, build: Build, index: int, lanes: range, left_values: int) -> None:
        self._build = build
        self._index = index
        self._numbers = lanes
        self._junction = j = build.junctions[index]
        self._has_deltas = has_deltas(build, index)
        self._lanes = [Lane(build, index) for _ in lanes]
        count = len(lanes)
        members = {
            "edge": In(EdgeControl(build, index)),
            "left": In(BankWrite(build, index, values=left_values, groups=j.lanes // left_values)),
            "words": In(HostAccess(columns=j.lanes)),
            "products": Out(self._lanes[0].product.shape()).array(count),
        }
        if build.training:
            members |= {"deltas": In(Deltas(build, index, j.group)), "weight_saturated": Out(1).array(count)}
        if self._has_deltas:
            members |= {"sums": In(DeltaSums(build, index, count)), "clear": In(DeltaClear(build, index))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, lane in zip(self._numbers, self._lanes, strict=True):
            m.submodules[f"lane{number}"] = lane
        self._edges(m)
        self._write_left(m)
        m.d.comb += [into.eq(lane.product) for into, lane in zip(self.products, self._lanes, strict=True)]
        if self._build.training:
            self._hand_down_deltas(m)
            flags = zip(self.weight_saturated, self._lanes, strict=True)
            m.d.comb += [flag.eq(lane.weight_saturated) for flag, lane in flags]
        if self._has_deltas:
            self._hand_down(m, "sums")
            self._hand_down(m, "clear")
            m.d.comb += [into.eq(lane.sums.values[0]) for into, lane in zip(self.sums.values, self._lanes, strict=True)]
        return m

    def _edges(self, m: Module) -> None:
        """Edge memory, between the lanes and the host."""
        edge, words = self.edge, self.words
        near = {name: spread(m, getattr(edge, name), name=f"edge_{name}") for name in edge.signature.members}
        weight_width, row_width = edge_fields(self._build, self._index)
        m.submodules.edges = edges = RegisteredMemory(
            (signed(weight_width), unsigned(row_width)) * len(self._lanes),
            depth=self._junction.cycles,
            one_port=not self._build.training,  # the host writes while no block runs
        )
        m.d.comb += [edges.read_address.eq(near["address"]), edges.write_address.eq(near["write_address"])]

        write = spread(m, words.write, name="word_write")
        column = spread(m, words.column, name="word_column")
        data = spread(m, words.data, name="word_data")
        word = Signal(32, reset_less=True)
        chosen_word: Value = Const(0, 32)
        for i, (number, lane) in enumerate(zip(self._numbers, self._lanes, strict=True)):
            this = slice(2 * i, 2 * i + 2)
            (weight, row), (weight_written, row_written) = edges.read_data[this], edges.write_data[this]
            chosen = Signal(name=f"chosen{number}", reset_less=True)
            m.d.sync += chosen.eq(column == number)
            update, new_weight = (near["update"], lane.new_weight) if self._build.training else (0, 0)
            m.d.comb += [
                *(getattr(lane.control, name).eq(near[name]) for name in lane.control.signature.members),
                lane.weight.eq(weight),
                lane.row.eq(row[:-1]),
                lane.first.eq(row[-1]),
                Cat(edges.write[this]).eq(Cat((write & chosen) | update, write & chosen)),
                weight_written.eq(Mux(write, data[:weight_width], new_weight)),
                row_written.eq(Cat(data[WEIGHT_BITS:FIRST_BIT][: row_width - 1], data[FIRST_BIT])),
            ]
            read = Signal(32, name=f"word{number}")
            m.d.comb += [
                read[:WEIGHT_BITS].eq(weight),
                read[WEIGHT_BITS:FIRST_BIT].eq(row[:-1]),
                read[FIRST_BIT].eq(row[-1]),
            ]
            chosen_word = chosen_word | Mux(chosen, read, 0)
        m.d.sync += word.eq(chosen_word)
        m.d.comb += words.word.eq(word)

    def _hand_down(self, m: Module, port: str) -> None:
        """All lanes are told what the group is told at this port."""
        far = getattr(self, port)
        for name, member in far.signature.members.items():
            if member.flow is In:
                near = spread(m, getattr(far, name), name=f"{port}_{name}")
                m.d.comb += [getattr(getattr(lane, port), name).eq(near) for lane in self._lanes]

    def _hand_down_deltas(self, m: Module) -> None:
        """Each lane gets the deltas of the right neuron that its edges go to."""
        j = self._junction
        neurons = [number * j.group // j.lanes for number in self._numbers]
        for name in self.deltas.signature.members:
            values = getattr(self.deltas, name)
            near = {n: spread(m, values[n], name=f"{name}_delta{n}") for n in sorted(set(neurons))}
            m.d.comb += [
                getattr(lane.deltas, name)[0].eq(near[n]) for lane, n in zip(self._lanes, neurons, strict=True)
            ]

    def _write_left(self, m: Module) -> None:
        left, at_once = self.left, len(self.left.values)
        groups = sorted({number // at_once for number in self._numbers})
        # The same in all groups of lanes, so synthesis merges these; the lanes' own it does not.
        writes = {g: delay(m, left.write[g], SPREAD - 1, name=f"left_write_far{g}") for g in groups}
        slot, row = spread(m, left.slot, name="left_slot"), spread(m, left.row, name="left_row")
        columns = sorted({number % at_once for number in self._numbers})
        values = {c: spread(m, left.values[c], name=f"left_value{c}") for c in columns}
        for number, lane in zip(self._numbers, self._lanes, strict=True):
            write = Signal(name=f"left_write{number}", reset_less=True, attrs={LOCAL: 1})
            m.d.sync += write.eq(writes[number // at_once])
            m.d.comb += [
                lane.left.write.eq(write),
                lane.left.slot.eq(slot),
                lane.left.row.eq(row),
                lane.left.values[0].eq(values[number % at_once]),
            ]
