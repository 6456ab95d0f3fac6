"""The host's access to edges and biases, word by word, while the pipeline is drained."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import REGION_SHIFT, bias_words, edge_words, row_stride
from presparse.contract.build import Build
from presparse_hw.core.junction import ACCESS
from presparse_hw.core.junction_ports import HostAccess
from presparse_hw.core.ports import AnswerLayout, CommandLayout


class MemoryAccess(wiring.Component):
    """Executes commands one at a time; each is answered within `ACCESS` + 8 cycles, reads and writes alike.

    Members
    -------
    commands : In(stream), answers : Out(stream)
    drained : In(1)
    edge_words1, bias_words1, edge_words2 ... : Out(HostAccess)  to the junctions, counted from 1; row, column and data
        are held during a command
    written : Out(1)          an edge is written in these cycles
    """

    commands: stream.Interface
    answers: stream.Interface
    drained: Signal
    written: Signal

    def __init__(self, build: Build) -> None:
        self._junctions = build.junctions
        memories: dict[str, wiring.Member] = {}
        for j in build.junctions:
            memories[f"edge_words{j.index}"] = Out(HostAccess(rows=j.cycles, columns=j.lanes))
            memories[f"bias_words{j.index}"] = Out(HostAccess(rows=j.steps, columns=j.group))
        super().__init__(
            {
                "commands": In(stream.Signature(CommandLayout())),
                "answers": Out(stream.Signature(AnswerLayout())),
                "drained": In(1),
                **memories,
                "written": Out(1),
            }
        )
        self.edge_words = [getattr(self, f"edge_words{j.index}") for j in build.junctions]
        self.bias_words = [getattr(self, f"bias_words{j.index}") for j in build.junctions]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = Signal(CommandLayout())
        region, word = command.address[REGION_SHIFT:], command.address[:REGION_SHIFT]
        answer = self.answers.payload
        known = Signal()
        row = Signal(range(max(max(j.cycles, j.steps) for j in self._junctions)))
        column = Signal(range(max(max(j.lanes, j.group) for j in self._junctions)))
        edges, biases = (Signal(len(self._junctions), name=name) for name in ("edges", "biases"))  # whose word it is
        sizes = [size for j in self._junctions for size in (edge_words(j), bias_words(j))]
        within = Signal(len(sizes))  # the region, if it is this one, has the word
        reading = Signal(32, reset_less=True)
        wait = Signal(range(ACCESS + 3))
        writes = Signal()  # a register of its own: what it reaches is far away

        m.d.sync += [
            within.eq(Cat(word < size for size in sizes)),
            known.eq((within & Cat(zip(edges, biases, strict=True))).any()),
            edges.eq(0),
            biases.eq(0),
        ]
        with m.Switch(region):
            for index, j in enumerate(self._junctions):
                regions = (
                    (2 * index + 1, edges[index], row_stride(j.lanes)),
                    (2 * index + 2, biases[index], row_stride(j.group)),
                )
                for number, chosen, stride in regions:
                    with m.Case(number):
                        bits = stride.bit_length() - 1
                        m.d.sync += [
                            chosen.eq(1),
                            row.eq(word >> bits),
                            column.eq(word & (stride - 1)),
                        ]
        words = []
        for chosen, port in zip((*edges, *biases), (*self.edge_words, *self.bias_words), strict=True):
            m.d.comb += [port.row.eq(row), port.column.eq(column), port.data.eq(command.data)]
            m.d.sync += port.write.eq(chosen & writes)
            words.append(Mux(chosen, port.word, 0))
        m.d.sync += [reading.eq(reduce(or_, words)), writes.eq(0)]

        with m.FSM():
            with m.State("Accept"):
                m.d.comb += self.commands.ready.eq(1)
                m.d.sync += command.eq(self.commands.payload)
                with m.If(self.commands.valid):
                    m.next = "Locate"
            with m.State("Locate"):
                m.next = "Compare"
            with m.State("Compare"):
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
