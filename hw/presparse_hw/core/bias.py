"""Biases of a junction's right neurons: read for FF and UP at once, written back by UP."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import WEIGHT_BITS
from presparse.contract.build import Build
from presparse.contract.schedule import DELTAS, READ
from presparse_hw.core.junction_ports import Deltas, HostAccess
from presparse_hw.lib.delays import delay
from presparse_hw.lib.fixed import exceeds, rescale, saturate
from presparse_hw.lib.registered_memory import RegisteredMemory

WRITE = DELTAS + 3
"""Cycles from a step's first turn to the write of its new biases: round, subtract, saturate."""


class BiasMemory(wiring.Component):
    """The biases of `group` right neurons per step.

    Cycles count from the turn of the step's first edges.

    Members
    -------
    read : In(1), step : In          cycle 0
    biases : Out(signed).array       cycle READ: for FF; the block's own UP writes later
    deltas : In(Deltas)              cycle DELTAS; `scaled` alone is used (training builds, as the next two)
    update : In(1), write_step : In  cycle WRITE: write the new biases
    saturated : Out(group)           one cycle after: these updates saturated
    words : In(HostAccess)           by step and column; `word` comes READ + 1 cycles after both, while nothing is read
    """

    read: Signal
    step: Signal
    biases: Sequence[Signal]
    deltas: wiring.PureInterface
    update: Signal
    write_step: Signal
    saturated: Signal
    words: wiring.PureInterface

    def __init__(self, build: Build, index: int) -> None:
        """`index`: the junction, counted from 0."""
        self._build = build
        self._junction = j = build.junctions[index]
        f = build.network.formats
        members = {
            "read": In(1),
            "step": In(range(j.steps)),
            "biases": Out(signed(f.weight.width)).array(j.group),
            "words": In(HostAccess(rows=j.steps, columns=j.group)),
        }
        if build.training:
            members |= {
                "deltas": In(Deltas(build, index, j.group)),
                "update": In(1),
                "write_step": In(range(j.steps)),
                "saturated": Out(j.group),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f, words = self._build.network.formats, self.words
        loaded = words.data[: f.weight.width].as_signed()
        word = Const(0)
        for column, bias in enumerate(self.biases):
            m.submodules[f"biases{column}"] = biases = RegisteredMemory((bias.shape(),), self._junction.steps)
            chosen = words.column == column
            word = word | Mux(chosen, bias, 0)
            write, written = biases.write[0], biases.write_data[0]
            m.d.comb += [
                biases.read_address.eq(Mux(self.read, self.step, words.row)),
                bias.eq(biases.read_data[0]),
            ]
            if self._build.training:
                new = self._updated(m, column, bias)
                m.d.comb += [
                    write.eq(self.update | (words.write & chosen)),
                    written.eq(Mux(words.write, loaded, new)),
                    biases.write_address.eq(Mux(words.write, words.row, self.write_step)),
                ]
            else:
                m.d.comb += [write.eq(words.write & chosen), written.eq(loaded), biases.write_address.eq(words.row)]
        m.d.sync += words.word[:WEIGHT_BITS].eq(word)
        return m

    def _updated(self, m: Module, column: int, bias: Signal) -> Signal:
        """UP: saturate(b - round(eta * delta)) in cycle WRITE."""
        f, rates = self._build.network.formats, self._build.network.rates
        rounded = rescale(self.deltas.scaled[column], f.delta.frac + rates.most, f.weight.frac)
        change = Signal(rounded.shape(), name=f"change{column}", reset_less=True)
        difference = delay(m, bias, DELTAS + 1 - READ, name=f"bias{column}") - change
        total = Signal(difference.shape(), name=f"total{column}", reset_less=True)
        new = Signal.like(bias, name=f"new{column}", reset_less=True)
        saturated = Signal(name=f"saturated{column}", reset_less=True)
        m.d.sync += [
            change.eq(rounded),
            total.eq(difference),
            new.eq(saturate(total, f.weight)),
            saturated.eq(Cat(exceeds(total, f.weight)).any()),
            self.saturated[column].eq(self.update & saturated),
        ]
        return new
