"""The host's access to palettes, word by word."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from presparse.contract.address_map import REGION_SHIFT, row_stride
from presparse.contract.build import Build
from presparse_hw.core.ports import AnswerLayout, CommandLayout
from presparse_hw.samples.palettes import FOUND_LATENCY
from presparse_hw.samples.ports import ColorLayout, format_of


class PaletteAccess(wiring.Component):
    """Executes commands on the palettes' region, whatever region they name; one at a time, in order, reads and writes
    alike answered within `FOUND_LATENCY` + 6 cycles. Only while no sample is under way.

    Members
    -------
    commands : In(stream), answers : Out(stream)   `not_drained` never comes
    busy : Out(1)      a command is executed
    color : Out, write : Out(1), value : Out   to the palettes; held during a command
    found : In         `FOUND_LATENCY` cycles after `color`
    """

    commands: stream.Interface
    answers: stream.Interface
    busy: Signal
    color: data.View
    write: Signal
    value: Signal
    found: Signal

    def __init__(self, build: Build) -> None:
        self._format = fmt = format_of(build)
        super().__init__(
            {
                "commands": In(stream.Signature(CommandLayout())),
                "answers": Out(stream.Signature(AnswerLayout())),
                "busy": Out(1),
                "color": Out(ColorLayout(fmt)),
                "write": Out(1),
                "value": Out(fmt.value_bits),
                "found": In(fmt.value_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self._format
        command = Signal(CommandLayout(), reset_less=True)
        word, answer = command.address[:REGION_SHIFT], self.answers.payload
        exists = Signal()
        found = Signal(fmt.value_bits, reset_less=True)
        steps = Signal(FOUND_LATENCY + 3)  # the bit that is set tells how far the command has come
        accept = Signal()
        free = Signal(init=1)
        column_bits = exact_log2(row_stride(fmt.port))
        m.d.sync += [
            exists.eq(word < fmt.palette_words),
            self.color.code.eq(word[: fmt.bits]),
            found.eq(self.found),
            self.write.eq(steps[1] & command.write & exists),
            steps.eq(Cat(accept, steps)),
        ]
        if fmt.palettes == "per feature":
            m.d.sync += [
                self.color.column.eq(word[fmt.bits : fmt.bits + column_bits]),
                self.color.transfer.eq(word[fmt.bits + column_bits :]),
            ]
        m.d.comb += [
            self.value.eq(command.data),
            self.busy.eq(~free),
            self.commands.ready.eq(free),
            accept.eq(free & self.commands.valid),
        ]
        with m.If(free):
            m.d.sync += [command.eq(self.commands.payload), free.eq(~self.commands.valid)]
        with m.If(steps[-1]):
            m.d.sync += [
                self.answers.valid.eq(1),
                answer.bad_address.eq(~exists),
                answer.data.eq(Mux(exists & ~command.write, found, 0)),
            ]
        with m.If(self.answers.valid & self.answers.ready):
            m.d.sync += [self.answers.valid.eq(0), free.eq(1)]
        return m
