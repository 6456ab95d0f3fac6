"""One lane: everything that one edge per cycle needs. A junction is z of these.

A lane reads one edge per cycle; that one read serves FF, BP and UP, each for a different sample.
Cycles count from the edge's address at the lane (R = EDGE_READ, M = MULTIPLY, P = R + READ + M):

    0        R            R + READ                  P                    P + 1    P + 2       P + 3
    address  weight, row  FF: operand * activation  product out
                          BP: operand * delta       added to delta bank
                          UP: activation * delta    product              rounded  subtracted  new weight written
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import FIRST_BIT, WEIGHT_BITS
from presparse.contract.build import Build
from presparse.contract.lane_memories import activation_bank_depth, delta_bank_depth
from presparse.contract.schedule import EDGE_READ, MULTIPLY, READ
from presparse_hw.core.delta_bank import DeltaBank
from presparse_hw.lib.delays import LOCAL, delay
from presparse_hw.lib.fixed import exceeds, rounding, saturate
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory


class Lane(wiring.Component):
    """Edge memory, activation bank, delta bank and multipliers of one lane.

    The ports of UP are there in training builds only, those of the delta bank only there and from junction 2 on.

    Members
    -------
    edge_address : In               cycle 0
    edge_word : Out(32)             cycle R: the edge as the host reads it
    forward_slot, update_slot : In  cycle R: slots of the samples in FF and UP
    forward_product : Out(signed)   cycle P = R + 2 + M
    activation_write, activation_slot, activation_row, activation : In
        a left activation; readable from the next cycle on
    edge_write, edge_data : In      host access: writes the edge at `write_address`
    delta : In(signed)              cycle R + READ: delta of the edge's right neuron
    scaled_delta : In(signed)       cycle R + READ: the same times 2^(rates.most - k)
    update : In(1), write_address : In   cycle P + 3: write the new weight
    weight_saturated : Out(1)       one cycle after: this update saturated
    delta_add : In(1), delta_set : In    cycle P - READ
    fetch_address : In, fetch_sum : Out  read a delta sum, READ cycles
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
        row_bits = len(self.activation_row)
        m.submodules.edges = edges = RegisteredMemory(
            (signed(f.weight.width), unsigned(row_bits + 1)),
            depth=self._junction.cycles,
            one_port=not self._build.training,  # the host writes while no block runs
        )
        (weight_read, row_read), (weight_written, row_written) = edges.read_data, edges.write_data
        weight = delay(m, weight_read, EDGE_READ - READ, name="weight")
        row_and_first = delay(m, row_read, EDGE_READ - READ, name="row_and_first")
        loaded = Cat(self.edge_data[WEIGHT_BITS:FIRST_BIT][:row_bits], self.edge_data[FIRST_BIT])
        m.d.comb += [
            edges.read_address.eq(self.edge_address),
            edges.write_address.eq(self.write_address),
            edges.write[1].eq(self.edge_write),
            row_written.eq(loaded),
            self.edge_word[:WEIGHT_BITS].eq(weight),
            self.edge_word[WEIGHT_BITS:FIRST_BIT].eq(row_and_first[:-1]),
            self.edge_word[FIRST_BIT].eq(row_and_first[-1]),
        ]
        top = (weight >> f.operand_shift)[: f.operand.width].as_signed()
        operand = delay(m, top, READ, name="operand")

        left_forward, left_update = self._activations(m, row_read)
        m.submodules.ff = ff = Multiplier(f.operand.width, f.activation.width)
        m.d.comb += [ff.a.eq(operand), ff.b.eq(left_forward), self.forward_product.eq(ff.product)]
        loaded_weight = self.edge_data[: f.weight.width].as_signed()
        if self._build.training:
            new_weight = self._updated(m, weight, left_update)
            m.d.comb += [
                edges.write[0].eq(self.update | self.edge_write),
                weight_written.eq(Mux(self.edge_write, loaded_weight, new_weight)),
            ]
        else:
            m.d.comb += [edges.write[0].eq(self.edge_write), weight_written.eq(loaded_weight)]
        if self._has_deltas:
            self._backpropagate(m, operand, row_and_first)
        return m

    def _activations(self, m: Module, row_read: Signal) -> tuple[Signal, Signal | None]:
        """Left activations for FF and UP in cycle R + READ; each has a bank and a row register of its own."""
        f, row_bits = self._formats, len(self.activation_row)
        slots = {"forward": self.forward_slot}
        if self._build.training:
            slots["update"] = self.update_slot
        data = []
        for purpose, slot in slots.items():
            row = Signal(row_bits, name=f"{purpose}_row", reset_less=True, attrs={LOCAL: 1})  # cycle R
            m.d.sync += row.eq(row_read)
            m.submodules[f"{purpose}_bank"] = bank = RegisteredMemory(
                (signed(f.activation.width),), depth=activation_bank_depth(self._build, self._index)
            )
            m.d.comb += [
                bank.write[0].eq(self.activation_write),
                bank.write_address.eq(Cat(self.activation_row, self.activation_slot)),
                bank.write_data[0].eq(self.activation),
                bank.read_address.eq(Cat(row, slot)),
            ]
            data.append(bank.read_data[0])
        return data[0], data[1] if self._build.training else None

    def _updated(self, m: Module, weight: Signal, left: Signal) -> Signal:
        """UP: saturate(w - round(eta * delta * a)), written in cycle P + 3."""
        f, rates = self._formats, self._build.network.rates
        m.submodules.up = up = Multiplier(len(self.scaled_delta), f.activation.width)
        floor, half = rounding(up.product, f.delta.frac + rates.most + f.activation.frac, f.weight.frac)
        change = Signal(floor.shape(), reset_less=True)
        more = Signal(reset_less=True)  # 1 is to be added to it
        weight = delay(m, weight, READ + MULTIPLY + 1, name="weight")
        total = Signal(signed(max(len(weight), len(change)) + 1), reset_less=True)
        # weight - change - more in one carry chain: -change is ~change + 1, and `more` takes that 1 away.
        difference = (Cat(Const(1, 1), weight).as_signed() + Cat(~more, ~change).as_signed()) >> 1
        new = Signal.like(weight, reset_less=True)
        saturated = Signal(reset_less=True)
        m.d.comb += [up.a.eq(self.scaled_delta), up.b.eq(left)]
        m.d.sync += [
            change.eq(floor),
            more.eq(half),
            total.eq(difference),
            new.eq(saturate(total, f.weight)),
            saturated.eq(Cat(exceeds(total, f.weight)).any()),
            self.weight_saturated.eq(self.update & saturated),
        ]
        return new

    def _backpropagate(self, m: Module, operand: Signal, row_and_first: Signal) -> None:
        """BP: add operand * delta to the delta sum of the edge's left neuron."""
        f = self._formats
        m.submodules.bp = bp = Multiplier(f.operand.width, f.delta.width)
        depth = delta_bank_depth(self._build, self._index)
        m.submodules.deltas = deltas = DeltaBank(depth, len(bp.product), len(self.fetch_sum))
        late = delay(m, row_and_first, MULTIPLY, name="late_row_and_first")
        m.d.comb += [
            bp.a.eq(operand),
            bp.b.eq(self.delta),
            deltas.add.eq(self.delta_add),
            deltas.address.eq(Cat(late[:-1], self.delta_set)),
            deltas.first.eq(late[-1]),
            deltas.product.eq(bp.product),
            deltas.fetch_address.eq(self.fetch_address),
            self.fetch_sum.eq(deltas.sum),
            deltas.clear.eq(self.clear),
            deltas.clear_address.eq(self.clear_address),
        ]
