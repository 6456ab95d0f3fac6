"""One lane, the processing element of one edge per cycle. A junction is z of these.

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
from presparse_hw.core.junction_ports import (
    BankWrite,
    DeltaClear,
    Deltas,
    DeltaSums,
    EdgeControl,
    HostAccess,
    has_deltas,
)
from presparse_hw.lib.delays import LOCAL, delay
from presparse_hw.lib.fixed import exceeds, rounding, saturate
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory


class Lane(wiring.Component):
    """Edge memory, activation bank, delta bank and multipliers of one lane.

    Members (`presparse_hw.core.junction_ports`)
    -------
    edge : In(EdgeControl)
    left : In(BankWrite)          left activations
    word : In(HostAccess)         the edge read at `edge.address`, in cycle R; writes the edge at `edge.write_address`
    product : Out(signed)         cycle P: FF, operand * activation
    deltas : In(Deltas)           cycle R + READ: of the edge's right neuron (training builds)
    weight_saturated : Out(1)     cycle P + 4: this update saturated (training builds)
    sums : In(DeltaSums), clear : In(DeltaClear)   of the delta bank (training builds, from junction 2 on)
    """

    edge: wiring.PureInterface
    left: wiring.PureInterface
    word: wiring.PureInterface
    product: Signal
    deltas: wiring.PureInterface
    weight_saturated: Signal
    sums: wiring.PureInterface
    clear: wiring.PureInterface

    def __init__(self, build: Build, index: int) -> None:
        """`index`: the junction, counted from 0."""
        self._build = build
        self._index = index
        self._formats = f = build.network.formats
        members = {
            "edge": In(EdgeControl(build, index)),
            "left": In(BankWrite(build, index)),
            "word": In(HostAccess()),
            "product": Out(signed(f.operand.width + f.activation.width)),
        }
        if build.training:
            members |= {"deltas": In(Deltas(build, index, neurons=1)), "weight_saturated": Out(1)}
        if has_deltas(build, index):
            members |= {"sums": In(DeltaSums(build, index, banks=1)), "clear": In(DeltaClear(build, index))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f, word = self._formats, self.word
        row_bits = len(self.left.row)
        m.submodules.edges = edges = RegisteredMemory(
            (signed(f.weight.width), unsigned(row_bits + 1)),
            depth=self._build.junctions[self._index].cycles,
            one_port=not self._build.training,  # the host writes while no block runs
        )
        (weight_read, row_read), (weight_written, row_written) = edges.read_data, edges.write_data
        weight = delay(m, weight_read, EDGE_READ - READ, name="weight")
        row_and_first = delay(m, row_read, EDGE_READ - READ, name="row_and_first")
        m.d.comb += [
            edges.read_address.eq(self.edge.address),
            edges.write_address.eq(self.edge.write_address),
            edges.write[1].eq(word.write),
            row_written.eq(Cat(word.data[WEIGHT_BITS:FIRST_BIT][:row_bits], word.data[FIRST_BIT])),
            word.word[:WEIGHT_BITS].eq(weight),
            word.word[WEIGHT_BITS:FIRST_BIT].eq(row_and_first[:-1]),
            word.word[FIRST_BIT].eq(row_and_first[-1]),
        ]
        top = (weight >> f.operand_shift)[: f.operand.width].as_signed()
        operand = delay(m, top, READ, name="operand")

        left_forward, left_update = self._activations(m, row_read)
        m.submodules.ff = ff = Multiplier(f.operand.width, f.activation.width)
        m.d.comb += [ff.a.eq(operand), ff.b.eq(left_forward), self.product.eq(ff.product)]
        loaded_weight = word.data[: f.weight.width].as_signed()
        if self._build.training:
            new_weight = self._updated(m, weight, left_update)
            m.d.comb += [
                edges.write[0].eq(self.edge.update | word.write),
                weight_written.eq(Mux(word.write, loaded_weight, new_weight)),
            ]
        else:
            m.d.comb += [edges.write[0].eq(word.write), weight_written.eq(loaded_weight)]
        if has_deltas(self._build, self._index):
            self._backpropagate(m, operand, row_and_first)
        return m

    def _activations(self, m: Module, row_read: Signal) -> tuple[Signal, Signal | None]:
        """Left activations for FF and UP in cycle R + READ; each has a bank and a row register of its own."""
        f, left = self._formats, self.left
        slots = {"forward": self.edge.forward_slot}
        if self._build.training:
            slots["update"] = self.edge.update_slot
        data = []
        for purpose, slot in slots.items():
            row = Signal(len(left.row), name=f"{purpose}_row", reset_less=True, attrs={LOCAL: 1})  # cycle R
            m.d.sync += row.eq(row_read)
            m.submodules[f"{purpose}_bank"] = bank = RegisteredMemory(
                (signed(f.activation.width),), depth=activation_bank_depth(self._build, self._index)
            )
            m.d.comb += [
                bank.write[0].eq(left.write),
                bank.write_address.eq(Cat(left.row, left.slot)),
                bank.write_data[0].eq(left.values[0]),
                bank.read_address.eq(Cat(row, slot)),
            ]
            data.append(bank.read_data[0])
        return data[0], data[1] if self._build.training else None

    def _updated(self, m: Module, weight: Signal, left: Signal) -> Signal:
        """UP: saturate(w - round(eta * delta * a)), written in cycle P + 3."""
        f, rates = self._formats, self._build.network.rates
        delta = self.deltas.scaled[0]
        m.submodules.up = up = Multiplier(len(delta), f.activation.width)
        floor, half = rounding(up.product, f.delta.frac + rates.most + f.activation.frac, f.weight.frac)
        change = Signal(floor.shape(), reset_less=True)
        more = Signal(reset_less=True)  # 1 is to be added to it
        weight = delay(m, weight, READ + MULTIPLY + 1, name="weight")
        total = Signal(signed(max(len(weight), len(change)) + 1), reset_less=True)
        # weight - change - more in one carry chain: -change is ~change + 1, and `more` takes that 1 away.
        difference = (Cat(Const(1, 1), weight).as_signed() + Cat(~more, ~change).as_signed()) >> 1
        new = Signal.like(weight, reset_less=True)
        saturated = Signal(reset_less=True)
        m.d.comb += [up.a.eq(delta), up.b.eq(left)]
        m.d.sync += [
            change.eq(floor),
            more.eq(half),
            total.eq(difference),
            new.eq(saturate(total, f.weight)),
            saturated.eq(Cat(exceeds(total, f.weight)).any()),
            self.weight_saturated.eq(self.edge.update & saturated),
        ]
        return new

    def _backpropagate(self, m: Module, operand: Signal, row_and_first: Signal) -> None:
        """BP: add operand * delta to the delta sum of the edge's left neuron."""
        f = self._formats
        m.submodules.bp = bp = Multiplier(f.operand.width, f.delta.width)
        depth = delta_bank_depth(self._build, self._index)
        m.submodules.deltas = deltas = DeltaBank(depth, len(bp.product), len(self.sums.values[0]))
        late = delay(m, row_and_first, MULTIPLY, name="late_row_and_first")
        m.d.comb += [
            bp.a.eq(operand),
            bp.b.eq(self.deltas.plain[0]),
            deltas.add.eq(self.edge.delta_add),
            deltas.address.eq(Cat(late[:-1], self.edge.delta_set)),
            deltas.first.eq(late[-1]),
            deltas.product.eq(bp.product),
            deltas.fetch_address.eq(self.sums.address),
            self.sums.values[0].eq(deltas.sum),
            deltas.clear.eq(self.clear.write),
            deltas.clear_address.eq(self.clear.address),
        ]
