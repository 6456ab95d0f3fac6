"""One lane, the processing element of one edge per cycle. A junction is z of these.

A lane is given one edge per cycle; that one read serves FF, BP and UP, each for a different sample.
Cycles count from the edge's address at its group's edge memory (R = EDGE_READ, M = MULTIPLY, P = R + READ + M):

    0        R            R + READ                  P                    P + 1    P + 2       P + 3
    address  weight, row  FF: operand * activation  product out
                          BP: operand * delta       added to delta bank
                          UP: activation * delta    product              rounded  subtracted  new weight written
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.lane_memories import delta_bank_depth, forward_bank_depth, update_bank_depth
from presparse.contract.schedule import EDGE_READ, MULTIPLY, READ
from presparse_hw.core.delta_bank import DeltaBank
from presparse_hw.core.junction_ports import (
    BankWrite,
    DeltaClear,
    Deltas,
    DeltaSums,
    LaneControl,
    has_deltas,
)
from presparse_hw.lib.delays import LOCAL, delay
from presparse_hw.lib.fixed import exceeds, rounding, saturate
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory


class Lane(wiring.Component):
    """Activation banks, delta bank and multipliers of one lane.

    Members (`presparse_hw.core.junction_ports`)
    -------
    control : In(LaneControl)
    weight, row, first : In       cycle READ: the edge; `first`: it is its left neuron's first one
    left : In(BankWrite)          left activations
    product : Out(signed)         cycle P: FF, operand * activation
    deltas : In(Deltas)           cycle R + READ: of the edge's right neuron (training builds)
    new_weight : Out(signed)      cycle P + 3: to be written (training builds)
    weight_saturated : Out(1)     cycle P + 4: this update saturated (training builds)
    sums : In(DeltaSums), clear : In(DeltaClear)   of the delta bank (training builds, from junction 2 on)
    """

    control: wiring.PureInterface
    weight: Signal
    row: Signal
    first: Signal
    left: wiring.PureInterface
    product: Signal
    deltas: wiring.PureInterface
    new_weight: Signal
    weight_saturated: Signal
    sums: wiring.PureInterface
    clear: wiring.PureInterface

    def __init__(self, build: Build, index: int) -> None:
        """`index`: the junction, counted from 0."""
        self._build = build
        self._index = index
        self._formats = f = build.network.formats
        members = {
            "control": In(LaneControl(build, index)),
            "weight": In(signed(f.weight.width)),
            "row": In(range(build.junctions[index].rows)),
            "first": In(1),
            "left": In(BankWrite(build, index)),
            "product": Out(signed(f.operand.width + f.activation.width)),
        }
        if build.training:
            members |= {
                "deltas": In(Deltas(build, index, neurons=1)),
                "new_weight": Out(signed(f.weight.width)),
                "weight_saturated": Out(1),
            }
        if has_deltas(build, index):
            members |= {"sums": In(DeltaSums(build, index, banks=1)), "clear": In(DeltaClear(build, index))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f = self._formats
        weight = delay(m, self.weight, EDGE_READ - READ, name="weight_read")
        top = (weight >> f.operand_shift)[: f.operand.width].as_signed()
        operand = delay(m, top, READ, name="operand")

        left_forward, left_update = self._activations(m)
        m.submodules.ff = ff = Multiplier(f.operand.width, f.activation.width)
        m.d.comb += [ff.a.eq(operand), ff.b.eq(left_forward), self.product.eq(ff.product)]
        if self._build.training:
            self._update(m, weight, left_update)
        if has_deltas(self._build, self._index):
            self._backpropagate(m, operand)
        return m

    def _activations(self, m: Module) -> tuple[Signal, Signal | None]:
        """Left activations for FF and UP in cycle R + READ; each has a bank and a row register of its own. FF reads a
        sample soon after it was written, so its bank is the smaller one."""
        build, index, control = self._build, self._index, self.control
        forward = self._bank(m, "forward", forward_bank_depth(build, index), control.forward_slot)
        if not build.training:
            return forward, None
        return forward, self._bank(m, "update", update_bank_depth(build, index), control.update_slot)

    def _bank(self, m: Module, purpose: str, depth: int, slot: Signal) -> Signal:
        """The activation of the edge's left neuron in this slot, in cycle R + READ."""
        left = self.left
        row = Signal(len(left.row), name=f"{purpose}_row", reset_less=True, attrs={LOCAL: 1})  # cycle R
        m.submodules[f"{purpose}_bank"] = bank = RegisteredMemory(
            (signed(self._formats.activation.width),), depth=depth
        )
        m.d.sync += row.eq(self.row)
        m.d.comb += [
            bank.write[0].eq(left.write),
            bank.write_address.eq(Cat(left.row, left.slot[purpose])),
            bank.write_data[0].eq(left.values[0]),
            bank.read_address.eq(Cat(row, slot)),
        ]
        return bank.read_data[0]

    def _update(self, m: Module, weight: Signal, left: Signal) -> None:
        """UP: saturate(w - round(eta * delta * a))."""
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
        counted = Signal(reset_less=True)
        m.d.comb += [up.a.eq(delta), up.b.eq(left)]
        m.d.sync += [
            change.eq(floor),
            more.eq(half),
            total.eq(difference),
            new.eq(saturate(total, f.weight)),
            saturated.eq(Cat(exceeds(total, f.weight)).any()),
            counted.eq(self.control.update & saturated),
        ]
        m.d.comb += [self.new_weight.eq(new), self.weight_saturated.eq(counted)]

    def _backpropagate(self, m: Module, operand: Signal) -> None:
        """BP: add operand * delta to the delta sum of the edge's left neuron."""
        f = self._formats
        m.submodules.bp = bp = Multiplier(f.operand.width, f.delta.width)
        depth = delta_bank_depth(self._build, self._index)
        m.submodules.deltas = deltas = DeltaBank(depth, len(bp.product), len(self.sums.values[0]))
        row = delay(m, self.row, EDGE_READ - READ + MULTIPLY, name="late_row")
        first = delay(m, self.first, EDGE_READ - READ + MULTIPLY, name="late_first")
        m.d.comb += [
            bp.a.eq(operand),
            bp.b.eq(self.deltas.plain[0]),
            deltas.add.eq(self.control.delta_add),
            deltas.address.eq(Cat(row, self.control.delta_set)),
            deltas.first.eq(first),
            deltas.product.eq(bp.product),
            deltas.fetch_address.eq(self.sums.address),
            self.sums.values[0].eq(deltas.sum),
            deltas.clear.eq(self.clear.write),
            deltas.clear_address.eq(self.clear.address),
        ]
