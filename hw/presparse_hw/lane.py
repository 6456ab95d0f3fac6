"""One lane: everything that one edge per cycle needs. A junction is z of these.

A lane reads one edge per cycle; that one read serves FF, BP and UP, each for a different sample.
Cycles count from the edge's address (M = MULTIPLY):

    0        1                  2                         2 + M               3 + M    4 + M = UPDATE
    address  weight, row read   FF: operand * activation  product out
                                BP: operand * delta       added to delta bank
                                UP: activation * delta    product             rounded  new weight written
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.memory import FIRST_BIT, WEIGHT_BITS
from presparse.contract.schedule import MULTIPLY, OPERANDS
from presparse_hw.delta_bank import DeltaBank
from presparse_hw.fixed import exceeds, rescale, saturate
from presparse_hw.multiplier import Multiplier
from presparse_hw.pipeline import delay


class Lane(wiring.Component):
    """Edge memory, activation bank, delta bank and multipliers of one lane.

    The ports of UP are there in training builds only, those of the delta bank only there and from junction 2 on.

    Members
    -------
    edge_address : In               cycle 0
    edge_word : Out(32)             cycle 1: the edge as the host reads it
    forward_slot, update_slot : In  cycle 1: slots of the samples in FF and UP
    forward_product : Out(signed)   cycle 2 + M
    activation_write, activation_slot, activation_row, activation : In
        a left activation; readable from the next cycle on
    edge_write, edge_data : In      host access: writes the edge at `write_address`
    delta : In(signed)              cycle 2: delta of the edge's right neuron
    scaled_delta : In(signed)       cycle 2: the same times 2^(rates.most - k)
    update : In(1), write_address : In   cycle UPDATE: write the new weight
    weight_saturated : Out(1)       one cycle after: this update saturated
    delta_add : In(1), delta_set : In    cycle 1 + M
    fetch_address : In, fetch_sum : Out  read a delta sum, one cycle
    clear, clear_address : In       write 0 to a delta sum
    """

    edge_address: Signal
    edge_word: Signal
    forward_slot: Signal
    update_slot: Signal
    forward_product: Signal
    activation_write: Signal
    activation_slot: Signal
    activation_row: Signal
    activation: Signal
    edge_write: Signal
    edge_data: Signal
    delta: Signal
    scaled_delta: Signal
    update: Signal
    write_address: Signal
    weight_saturated: Signal
    delta_add: Signal
    delta_set: Signal
    fetch_address: Signal
    fetch_sum: Signal
    clear: Signal
    clear_address: Signal

    def __init__(self, build: Build, index: int) -> None:
        """`index`: the junction, counted from 0."""
        self._build = build
        self._index = index
        self._junction = j = build.junctions[index]
        self._plan = plan = build.schedule.junctions[index]
        self._formats = f = build.network.formats
        self._has_deltas = build.training and index > 0
        members = {
            "edge_address": In(range(j.cycles)),
            "edge_word": Out(32),
            "forward_slot": In(range(plan.activation_slots)),
            "forward_product": Out(signed(f.operand.width + f.activation.width)),
            "activation_write": In(1),
            "activation_slot": In(range(plan.activation_slots)),
            "activation_row": In(range(j.rows)),
            "activation": In(signed(f.activation.width)),
            "edge_write": In(1),
            "edge_data": In(32),
            "write_address": In(range(j.cycles)),
        }
        if build.training:
            members |= {
                "update_slot": In(range(plan.activation_slots)),
                "scaled_delta": In(signed(f.delta.width + build.network.rates.span)),
                "update": In(1),
                "weight_saturated": Out(1),
            }
        if self._has_deltas:
            depth = range(delta_bank_depth(build, index))
            members |= {
                "delta": In(signed(f.delta.width)),
                "delta_add": In(1),
                "delta_set": In(range(plan.delta_sets)),
                "fetch_address": In(depth),
                "fetch_sum": Out(signed(build.network.delta_sum_width(j))),
                "clear": In(1),
                "clear_address": In(depth),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f = self._formats
        weight, row, first, weight_write = self._edges(m)
        loaded = self.edge_data[: f.weight.width].as_signed()
        operand = Signal(signed(f.operand.width), reset_less=True)  # cycle 2
        m.d.sync += operand.eq(weight >> f.operand_shift)

        m.submodules.activations = activations = memory.Memory(
            shape=signed(f.activation.width), depth=self._plan.activation_slots << len(row), init=[]
        )
        write = activations.write_port()
        m.d.comb += [
            write.en.eq(self.activation_write),
            write.addr.eq(Cat(self.activation_row, self.activation_slot)),
            write.data.eq(self.activation),
        ]
        forward = activations.read_port()
        m.submodules.ff = ff = Multiplier(f.operand.width, f.activation.width)
        m.d.comb += [
            forward.addr.eq(Cat(row, self.forward_slot)),
            ff.a.eq(operand),
            ff.b.eq(forward.data),
            self.forward_product.eq(ff.product),
        ]
        if self._build.training:
            left = activations.read_port()
            m.d.comb += left.addr.eq(Cat(row, self.update_slot))
            new_weight = self._updated(m, weight, left.data)
            m.d.comb += [
                weight_write.en.eq(self.update | self.edge_write),
                weight_write.data.eq(Mux(self.edge_write, loaded, new_weight)),
            ]
        else:
            m.d.comb += [weight_write.en.eq(self.edge_write), weight_write.data.eq(loaded)]
        if self._has_deltas:
            self._backpropagate(m, operand, row, first)
        return m

    def _edges(self, m: Module) -> tuple[Signal, Signal, Signal, memory.WritePort]:
        """Edge memory: weight, row and first-touch bit in cycle 1, and the port that writes weights."""
        j, width = self._junction, self._formats.weight.width
        row_bits = len(self.activation_row)
        m.submodules.weights = weights = memory.Memory(shape=signed(width), depth=j.cycles, init=[])
        m.submodules.rows = rows = memory.Memory(shape=unsigned(row_bits + 1), depth=j.cycles, init=[])
        weight_read, row_read = weights.read_port(), rows.read_port()
        weight_write, row_write = weights.write_port(), rows.write_port()

        weight = Signal(signed(width))
        row = Signal(row_bits)
        first = Signal()
        m.d.comb += [
            weight_read.addr.eq(self.edge_address),
            row_read.addr.eq(self.edge_address),
            weight.eq(weight_read.data),
            Cat(row, first).eq(row_read.data),
            self.edge_word[:WEIGHT_BITS].eq(weight),
            self.edge_word[WEIGHT_BITS:FIRST_BIT].eq(row),
            self.edge_word[FIRST_BIT].eq(first),
            weight_write.addr.eq(self.write_address),
            row_write.addr.eq(self.write_address),
            row_write.en.eq(self.edge_write),
            row_write.data.eq(Cat(self.edge_data[WEIGHT_BITS:FIRST_BIT][:row_bits], self.edge_data[FIRST_BIT])),
        ]
        return weight, row, first, weight_write

    def _updated(self, m: Module, weight: Signal, left: Signal) -> Signal:
        """UP: saturate(w - round(eta * delta * a)) in cycle UPDATE."""
        f, rates = self._formats, self._build.network.rates
        m.submodules.up = up = Multiplier(len(self.scaled_delta), f.activation.width)
        rounded = rescale(up.product, f.delta.frac + rates.most + f.activation.frac, f.weight.frac)
        change = Signal(rounded.shape(), reset_less=True)  # cycle 3 + M
        difference = delay(m, weight, OPERANDS + MULTIPLY, name="weight") - change
        total = Signal(difference.shape())
        new = Signal.like(weight, reset_less=True)
        saturated = Signal(reset_less=True)
        m.d.comb += [up.a.eq(self.scaled_delta), up.b.eq(left), total.eq(difference)]
        m.d.sync += [
            change.eq(rounded),
            new.eq(saturate(total, f.weight)),
            saturated.eq(Cat(exceeds(total, f.weight)).any()),
            self.weight_saturated.eq(self.update & saturated),
        ]
        return new

    def _backpropagate(self, m: Module, operand: Signal, row: Signal, first: Signal) -> None:
        """BP: add operand * delta to the delta sum of the edge's left neuron."""
        f = self._formats
        m.submodules.bp = bp = Multiplier(f.operand.width, f.delta.width)
        depth = delta_bank_depth(self._build, self._index)
        m.submodules.deltas = deltas = DeltaBank(depth, len(bp.product), len(self.fetch_sum))
        m.d.comb += [
            bp.a.eq(operand),
            bp.b.eq(self.delta),
            deltas.add.eq(self.delta_add),
            deltas.address.eq(Cat(delay(m, row, MULTIPLY, name="row"), self.delta_set)),
            deltas.first.eq(delay(m, first, MULTIPLY, name="first")),
            deltas.product.eq(bp.product),
            deltas.fetch_address.eq(self.fetch_address),
            self.fetch_sum.eq(deltas.sum),
            deltas.clear.eq(self.clear),
            deltas.clear_address.eq(self.clear_address),
        ]


def delta_bank_depth(build: Build, index: int) -> int:
    """Addresses of a delta bank of junction `index` (from 0): sets times rows, rows rounded to a power of two."""
    rows = build.junctions[index].rows
    return build.schedule.junctions[index].delta_sets << (rows - 1).bit_length()
