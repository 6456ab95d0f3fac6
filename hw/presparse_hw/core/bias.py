"""Biases of a junction's right neurons: read for FF and UP at once, written back by UP."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import WEIGHT_BITS
from presparse.contract.build import Build
from presparse.contract.schedule import DELTAS, READ
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
    step : In                        cycle 0
    biases : Out(signed).array       cycle READ: for FF; the block's own UP writes later
    scaled_deltas : In(signed).array cycle DELTAS (training builds)
    update : In(1), write_step : In  cycle WRITE: write the new biases
    saturated : Out(group)           one cycle after: these updates saturated
    host_write : In(1), host_column, host_data : In   writes one bias at `write_step`
    """

    step: Signal
    biases: Sequence[Signal]
    scaled_deltas: Sequence[Signal]
    update: Signal
    write_step: Signal
    saturated: Signal
    host_write: Signal
    host_column: Signal
    host_data: Signal

    def __init__(self, build: Build, index: int) -> None:
        """`index`: the junction, counted from 0."""
        self._build = build
        self._junction = j = build.junctions[index]
        f = build.network.formats
        members = {
            "step": In(range(j.steps)),
            "biases": Out(signed(f.weight.width)).array(j.group),
            "write_step": In(range(j.steps)),
            "host_write": In(1),
            "host_column": In(range(j.group)),
            "host_data": In(WEIGHT_BITS),
        }
        if build.training:
            members |= {
                "scaled_deltas": In(signed(f.delta.width + build.network.rates.span)).array(j.group),
                "update": In(1),
                "saturated": Out(j.group),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f = self._build.network.formats
        loaded = self.host_data[: f.weight.width].as_signed()
        for column, bias in enumerate(self.biases):
            m.submodules[f"biases{column}"] = biases = RegisteredMemory((bias.shape(),), self._junction.steps)
            chosen = self.host_write & (self.host_column == column)
            write, written = biases.write[0], biases.write_data[0]
            m.d.comb += [
                biases.read_address.eq(self.step),
                bias.eq(biases.read_data[0]),
                biases.write_address.eq(self.write_step),
            ]
            if self._build.training:
                new = self._updated(m, column, bias)
                m.d.comb += [write.eq(self.update | chosen), written.eq(Mux(self.host_write, loaded, new))]
            else:
                m.d.comb += [write.eq(chosen), written.eq(loaded)]
        return m

    def _updated(self, m: Module, column: int, bias: Signal) -> Signal:
        """UP: saturate(b - round(eta * delta)) in cycle WRITE."""
        f, rates = self._build.network.formats, self._build.network.rates
        rounded = rescale(self.scaled_deltas[column], f.delta.frac + rates.most, f.weight.frac)
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
