"""The host's access to stored samples, word by word."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import REGION_SHIFT
from presparse.contract.store import StoreLayout, StoreState
from presparse_hw.core.ports import AnswerLayout, CommandLayout
from presparse_hw.store.memory_ports import MemoryCommandLayout


class StoreAccess(wiring.Component):
    """Executes commands on the store's region, one at a time. While the memory is not ready, there are no words.

    It is never reset: the memory answers whatever it was asked.

    Members
    -------
    commands : In(stream), answers : Out(stream)   of the link, not during a run; `not_drained` never comes
    reading : In(1)     something that a run asked for is still to come: a command waits
    state : In          of the memory
    memory_commands : Out(stream), memory_answers : In(stream)
    """

    commands: stream.Interface
    answers: stream.Interface
    reading: Signal
    state: Signal
    memory_commands: stream.Interface
    memory_answers: stream.Interface

    def __init__(self, store: StoreLayout) -> None:
        self._words = store.words // 2
        super().__init__(
            {
                "commands": In(stream.Signature(CommandLayout())),
                "answers": Out(stream.Signature(AnswerLayout())),
                "reading": In(1),
                "state": In(StoreState),
                "memory_commands": Out(stream.Signature(MemoryCommandLayout(store.words))),
                "memory_answers": In(stream.Signature(32)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, asked = Signal(MemoryCommandLayout(2 * self._words)), self.commands.payload
        word, answer = asked.address[:REGION_SHIFT], self.answers.payload
        exists = Signal()
        m.d.comb += self.memory_commands.payload.eq(command)
        with m.FSM():
            with m.State("Accept"):
                m.d.comb += self.commands.ready.eq(1)
                m.d.sync += [command.address.eq(word), command.data.eq(asked.data), command.write.eq(asked.write)]
                m.d.sync += exists.eq((word < self._words) & (self.state == StoreState.READY))
                with m.If(self.commands.valid):
                    m.next = "Ask"
            with m.State("Ask"):
                m.d.comb += self.memory_commands.valid.eq(exists & ~self.reading)
                with m.If(~exists):
                    m.next = "Refuse"
                with m.Elif(self.memory_commands.ready & ~self.reading):
                    m.next = "Pass-Back"
            with m.State("Pass-Back"):
                m.d.comb += [
                    self.answers.valid.eq(self.memory_answers.valid),
                    answer.data.eq(self.memory_answers.payload),
                    self.memory_answers.ready.eq(self.answers.ready),
                ]
                with m.If(self.answers.valid & self.answers.ready):
                    m.next = "Accept"
            with m.State("Refuse"):
                m.d.comb += [self.answers.valid.eq(1), answer.bad_address.eq(1)]
                with m.If(self.answers.ready):
                    m.next = "Accept"
        return m
