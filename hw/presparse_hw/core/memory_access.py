"""The host's access to edges and biases, word by word, while the pipeline is drained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import REGION_SHIFT, bias_words, edge_words, row_stride
from presparse.contract.build import Build
from presparse_hw.core.junction import ACCESS
from presparse_hw.core.ports import AnswerLayout, CommandLayout


class MemoryAccess(wiring.Component):
    """Executes commands one at a time; each is answered within `ACCESS` + 7 cycles, reads and writes alike.

    Members
    -------
    commands : In(stream), answers : Out(stream)
    drained : In(1)
    row, column, data : Out   to all junctions; held during a command
    edge_write, bias_write : Out(1).array  to one junction, one cycle
    edge_words, bias_words : In(32).array  from the junctions
    written : Out(1)          an edge is written in these cycles
    """

    commands: stream.Interface
    answers: stream.Interface
    drained: Signal
    row: Signal
    column: Signal
    data: Signal
    edge_write: Sequence[Signal]
    bias_write: Sequence[Signal]
    edge_words: Sequence[Signal]
    bias_words: Sequence[Signal]
    written: Signal

    def __init__(self, build: Build) -> None:
        self._junctions = junctions = build.junctions
        count = len(junctions)
        super().__init__(
            {
                "commands": In(stream.Signature(CommandLayout())),
                "answers": Out(stream.Signature(AnswerLayout())),
                "drained": In(1),
                "row": Out(range(max(max(j.cycles, j.steps) for j in junctions))),
                "column": Out(range(max(max(j.lanes, j.group) for j in junctions))),
                "data": Out(32),
                "edge_write": Out(1).array(count),
                "bias_write": Out(1).array(count),
                "edge_words": In(32).array(count),
                "bias_words": In(32).array(count),
                "written": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = Signal(CommandLayout())
        region, word = command.address[REGION_SHIFT:], command.address[:REGION_SHIFT]
        answer = self.answers.payload
        known = Signal()
        edges, biases = (Signal(len(self._junctions), name=name) for name in ("edges", "biases"))  # whose word it is
        reading = Signal(32, reset_less=True)
        wait = Signal(range(ACCESS + 3))
        writes = Signal()  # a register of its own: what it reaches is far away

        m.d.sync += [known.eq(0), edges.eq(0), biases.eq(0)]
        with m.Switch(region):
            for index, j in enumerate(self._junctions):
                regions = (
                    (2 * index + 1, edges[index], edge_words(j), row_stride(j.lanes)),
                    (2 * index + 2, biases[index], bias_words(j), row_stride(j.group)),
                )
                for number, chosen, size, stride in regions:
                    with m.Case(number):
                        bits = stride.bit_length() - 1
                        m.d.sync += [
                            chosen.eq(1),
                            known.eq(word < size),
                            self.row.eq(word >> bits),
                            self.column.eq(word & (stride - 1)),
                        ]
        chosen_words = zip((*edges, *biases), (*self.edge_words, *self.bias_words), strict=True)
        m.d.sync += reading.eq(reduce(or_, (Mux(chosen, word, 0) for chosen, word in chosen_words)))
        m.d.comb += self.data.eq(command.data)
        m.d.sync += writes.eq(0)
        m.d.sync += [write.eq(chosen & writes) for write, chosen in zip(self.edge_write, edges, strict=True)]
        m.d.sync += [write.eq(chosen & writes) for write, chosen in zip(self.bias_write, biases, strict=True)]

        with m.FSM():
            with m.State("Accept"):
                m.d.comb += self.commands.ready.eq(1)
                m.d.sync += command.eq(self.commands.payload)
                with m.If(self.commands.valid):
                    m.next = "Locate"
            with m.State("Locate"):
                m.next = "Check"
            with m.State("Check"):
                m.d.sync += [answer.eq(0), wait.eq(ACCESS + 2)]
                with m.If(~known):
                    m.d.sync += answer.bad_address.eq(1)
                    m.next = "Answer"
                with m.Elif(~self.drained):
                    m.d.sync += answer.not_drained.eq(1)
                    m.next = "Answer"
                with m.Else():
                    m.d.sync += writes.eq(command.write)
                    m.next = "Execute"
            with m.State("Execute"):
                m.d.comb += self.written.eq(command.write & edges.any())
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += answer.data.eq(reading)
                    m.next = "Answer"
            with m.State("Answer"):
                m.d.comb += self.answers.valid.eq(1)
                with m.If(self.answers.ready):
                    m.next = "Accept"
        return m
