"""The host's access to stored samples, word by word, beside that to the core."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from presparse.contract.address_map import REGION_SHIFT, STORE_REGIONS, row_stride
from presparse.contract.build import Build
from presparse_hw.core.ports import AnswerLayout, CommandLayout
from presparse_hw.lib.banks import BANK_LATENCY
from presparse_hw.store.stored_samples import PlaceLayout, StoreWriteLayout, store_of

FEATURES, LABELS, PALETTES = STORE_REGIONS
WORD_LATENCY = 1 + BANK_LATENCY
"""Cycles from a place to its word: a register on the way to the memories, the memories."""
_NAMES = {FEATURES: "features", LABELS: "labels", PALETTES: "palettes"}
"""The memories, by region."""


class StoreAccess(wiring.Component):
    """Executes commands on the store's regions, and passes the others on; one at a time, in order.

    Members
    -------
    commands : In(stream), answers : Out(stream)        of the link
    core_commands : Out(stream), core_answers : In(stream)
    drained : In(1)     else every command is answered `not_drained`, and the core sees none while `running`
    running : In(1)
    place, part, code : Out               to `StoredSamples`; held during a command
    write : Out
    feature_word, label_word, palette_word : In(32)   `WORD_LATENCY` cycles after their place
    """

    commands: stream.Interface
    answers: stream.Interface
    core_commands: stream.Interface
    core_answers: stream.Interface
    drained: Signal
    running: Signal
    place: data.View
    part: Signal
    code: Signal
    write: data.View
    feature_word: Signal
    label_word: Signal
    palette_word: Signal

    def __init__(self, build: Build) -> None:
        self._store = store = store_of(build)
        super().__init__(
            {
                "commands": In(stream.Signature(CommandLayout())),
                "answers": Out(stream.Signature(AnswerLayout())),
                "core_commands": Out(stream.Signature(CommandLayout())),
                "core_answers": In(stream.Signature(AnswerLayout())),
                "drained": In(1),
                "running": In(1),
                "place": Out(PlaceLayout(store)),
                "part": Out(range(max(store.slices, store.port))),
                "code": Out(store.bits),
                "write": Out(StoreWriteLayout()),
                "feature_word": In(32),
                "label_word": In(32),
                "palette_word": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = Signal(CommandLayout())
        region, answer = command.address[REGION_SHIFT:], self.answers.payload
        exists, reading, write = self._decode(m, command)
        wait = Signal(range(WORD_LATENCY + 1))  # the chosen one of three words goes through a register
        m.d.comb += self.core_commands.payload.eq(command)
        m.d.sync += [self.write[name].eq(0) for name in _NAMES.values()]
        with m.FSM():
            with m.State("Accept"):
                m.d.comb += self.commands.ready.eq(1)
                # One that a request did not wait for, because it was stopped.
                m.d.comb += self.core_answers.ready.eq(1)
                m.d.sync += command.eq(self.commands.payload)
                with m.If(self.commands.valid):
                    m.next = "Route"
            with m.State("Route"):
                m.d.sync += answer.eq(0)
                m.next = "Decode"
                with m.If(self.running):
                    m.d.sync += answer.not_drained.eq(1)
                    m.next = "Answer"
                with m.Elif(region < FEATURES):
                    m.next = "Pass-On"
            with m.State("Pass-On"):
                m.d.comb += self.core_commands.valid.eq(1)
                with m.If(self.core_commands.ready):
                    m.next = "Wait-Core"
            with m.State("Wait-Core"):
                m.d.comb += self.core_answers.ready.eq(1)
                m.d.sync += answer.eq(self.core_answers.payload)
                with m.If(self.core_answers.valid):
                    m.next = "Answer"
            with m.State("Decode"):
                m.d.sync += wait.eq(WORD_LATENCY)
                m.next = "Read"
                with m.If(~exists):
                    m.d.sync += answer.bad_address.eq(1)
                    m.next = "Answer"
                with m.Elif(~self.drained):
                    m.d.sync += answer.not_drained.eq(1)
                    m.next = "Answer"
                with m.Elif(command.write):
                    m.d.sync += [self.write[name].eq(chosen) for name, chosen in write.items()]
                    m.next = "Answer"
            with m.State("Read"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += answer.data.eq(reading)
                    m.next = "Answer"
            with m.State("Answer"):
                m.d.comb += self.answers.valid.eq(1)
                with m.If(self.answers.ready):
                    m.next = "Accept"
        return m

    def _decode(self, m: Module, command: data.View) -> tuple[Signal, Signal, dict[str, Signal]]:
        """Place, part and code of the word, registered before "Decode".

        Returns whether it exists, what it holds (a cycle later), and by memory whether it is one of its words; all
        registered.
        """
        store = self._store
        word, region = command.address[:REGION_SHIFT], command.address[REGION_SHIFT:]
        exists = Signal()
        held = Signal()  # the word is no padding of a row
        found = Signal(32)
        reading = Signal(32, reset_less=True)
        chosen = {name: Signal(name=f"{name}_chosen") for name in _NAMES.values()}
        row_bits, column_bits = exact_log2(row_stride(store.slices)), exact_log2(row_stride(store.port))
        m.d.sync += [self.code.eq(word[: store.bits]), exists.eq(0), held.eq(1)]
        m.d.comb += self.write.data.eq(command.data)
        with m.Switch(region):
            with m.Case(FEATURES):
                part = word[:row_bits]
                m.d.comb += found.eq(self.feature_word)
                m.d.sync += [
                    exists.eq(word < store.feature_words),
                    held.eq(part < store.slices),
                    self.place.row.eq(word[row_bits:]),
                    self.part.eq(part),
                ]
            with m.Case(LABELS):
                m.d.comb += found.eq(self.label_word)
                m.d.sync += [exists.eq(word < store.samples), self.place.sample.eq(word)]
            with m.Case(PALETTES):
                m.d.comb += found.eq(self.palette_word)
                m.d.sync += exists.eq(word < store.palette_words)
                if store.palettes == "shared":
                    m.d.sync += self.part.eq(0)
                else:
                    column = word[store.bits : store.bits + column_bits]
                    m.d.sync += [
                        held.eq(column < store.port),
                        self.part.eq(column),
                        self.place.transfer.eq(word[store.bits + column_bits :]),
                    ]
        for number, name in _NAMES.items():
            m.d.comb += chosen[name].eq((region == number) & held)
        m.d.sync += reading.eq(Mux(held, found, 0))
        return exists, reading, chosen
