"""The way back from an SDRAM: from its data pads to the words of samples and the host's answers."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from presparse.contract.schedule import READ
from presparse_hw.lib.delays import ages, delay
from presparse_hw.lib.queue import Queue
from presparse_hw.store.memory_ports import SampleWordLayout
from presparse_hw.store.sdram.chip import Sdram
from presparse_hw.store.sdram.controller import most_columns
from presparse_hw.store.sdram.ports import READ_PHASES, AskedLayout, LengthLayout


class ColumnLayout(data.StructLayout):
    """A column on its way out. `wanted`: the sample has it; `last`: and it is its last one; `half`: of which only the
    lower word is the sample's (never, if a column is a word)."""

    def __init__(self, sdram: Sdram) -> None:
        super().__init__({"data": sdram.chip.width, "wanted": 1, "last": 1, "half": 1 if sdram.chip.width == 32 else 0})


class Returns(wiring.Component):
    """Takes what was asked for from the pads, in the chosen phase, and finds out how long samples are.

        pads ──> word ──> length ──> sample's end ──> queue ──> words
                   └──> the host's answer

    From a READ at the pads to its word: cas + pad_cycles + 7 cycles, one more in the phases 2 and 3. More columns than
    the sample has are asked for before its length is known; they are dropped behind the queue, one per cycle.

    Parameters
    ----------
    sdram : Sdram
    length_shift : the length of a sample in words is its first word shifted right by this
    most_words : of a sample; a longer one is cut to this, one of length 0 has one word

    Members
    -------
    dq_i : In.array(2), asked : In   as `SdramPadSignature` and `SdramController` have them
    phase : In           which sample is taken; changes only while `quiet`
    blank : In(1)        whatever comes, it is taken for zeros
    room : Out(1)        one more column of a sample may be asked for: the queue takes all that was
    length : Out         of each sample, cas + pad_cycles + 4 cycles after the READ of its first column, or one more
    quiet : Out(1)       nothing that was asked for is still to come
    words : Out(stream)
    written : In(1)      the host's word was written, and is to be answered
    answers : Out(stream)
    """

    dq_i: Sequence[Signal]
    asked: data.View
    phase: Signal
    blank: Signal
    room: Signal
    length: data.View
    quiet: Signal
    words: stream.Interface
    written: Signal
    answers: stream.Interface

    def __init__(self, sdram: Sdram, *, length_shift: int, most_words: int) -> None:
        self._sdram = sdram
        self._length_shift = length_shift
        self._most_words = most_words
        super().__init__(
            {
                "dq_i": In(sdram.chip.width).array(2),
                "asked": In(AskedLayout()),
                "phase": In(range(READ_PHASES)),
                "blank": In(1),
                "room": Out(1),
                "length": Out(LengthLayout(most_columns(sdram, most_words))),
                "quiet": Out(1),
                "words": Out(stream.Signature(SampleWordLayout())),
                "written": In(1),
                "answers": Out(stream.Signature(32)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self._sdram.chip.width
        # Asked for, at the pads, and so on until the data are here: in the phases 0 and 1, and a cycle later.
        early = self._sdram.cycles.cas + self._sdram.pad_cycles + 2
        asked = ages(m, self.asked, early + 1, name="asked", reset=True)
        column = Signal(AskedLayout())
        word = Signal(width, reset_less=True)
        m.d.sync += [
            column.eq(Mux(self.phase[1], asked[early + 1].as_value(), asked[early].as_value())),
            word.eq(Mux(self.blank, 0, Mux(self.phase[0], self.dq_i[1], self.dq_i[0]))),
        ]
        m.d.comb += self.quiet.eq(~Cat(column.valid, (older.valid for older in asked)).any())
        self._answer(m, column, word)
        self._pass_on(m, column, word)
        return m

    def _answer(self, m: Module, column: data.View, word: Signal) -> None:
        """The host's word, which is one column or two."""
        width = self._sdram.chip.width
        host = column.valid & column.by_host
        upper = Signal()  # the second of two
        with m.If(self.answers.ready):
            m.d.sync += self.answers.valid.eq(0)
        with m.If(host):
            m.d.sync += [
                self.answers.payload.eq(Cat(self.answers.payload[width:], word)),
                self.answers.valid.eq(upper | (width == 32)),
                upper.eq(~upper & (width == 16)),
            ]
        with m.If(self.written):
            m.d.sync += [self.answers.payload.eq(0), self.answers.valid.eq(1)]

    def _pass_on(self, m: Module, column: data.View, word: Signal) -> None:
        """Samples' columns, each sample as long as its first word says."""
        wide = self._sdram.chip.width == 32
        most, columns, others = self._most_words, self.length.columns, self.length.others
        # Its length in words, then in columns.
        said = word[:16] >> self._length_shift
        words = Signal(range(most + 1))
        with m.If(column.first):
            m.d.sync += words.eq(Mux(said == 0, 1, Mux(said > most, most, said)))
        comes = delay(m, column.valid & ~column.by_host, 2, name="comes", reset=True)
        first = delay(m, column.first, 2, name="first")
        odd = Signal()
        with m.If(delay(m, column.first, 1, name="measured")):
            m.d.sync += [
                columns.eq((words + 1) >> 1 if wide else words),
                others.eq((words - 1) >> 1 if wide else words - 1),
                odd.eq(words[0]),
            ]
        m.d.comb += self.length.valid.eq(comes & first)

        # Where it ends.
        more = Signal(signed(len(columns) + 1))  # of its columns that are still to come, 1 less
        end = Signal(ColumnLayout(self._sdram))
        m.d.comb += [
            end.data.eq(delay(m, word, 2, name="word")),
            end.wanted.eq(first | ~more[-1]),
            end.last.eq(Mux(first, others, more) == 0),
            end.half.eq(odd),
        ]
        with m.If(comes & end.wanted):
            m.d.sync += more.eq(Mux(first, others, more) - 1)

        # The queue takes whatever was asked for; it is deep enough for what can be under way.
        depth = 1 << ceil_log2(self._sdram.cycles.cas + self._sdram.pad_cycles + 10 + READ)
        m.submodules.queue = queue = Queue(ColumnLayout(self._sdram), depth)
        m.d.comb += [queue.write.eq(comes), queue.word.eq(end)]
        out = queue.words.payload
        taken = Signal()  # a word
        empties = Signal()  # and with it the column
        upper = Signal()  # the column's upper word is next
        ends = upper | (out.last & out.half) if wide else 1
        m.d.comb += [
            self.words.valid.eq(queue.words.valid & out.wanted),
            self.words.payload.word.eq(Mux(upper, out.data[-16:], out.data)),
            self.words.payload.last.eq(out.last & ends),
            taken.eq(self.words.valid & self.words.ready),
            queue.words.ready.eq(~out.wanted | (self.words.ready & ends)),
            empties.eq(queue.words.valid & queue.words.ready),
        ]
        if wide:
            with m.If(taken):
                m.d.sync += upper.eq(~upper & ~ends)
        # That a column is asked for is decided late in a cycle, and counted in the next: one is kept free for that.
        free = Signal(signed(depth.bit_length()), init=depth - 2)  # columns that the queue still takes, 2 less
        fills = Signal()
        m.d.sync += fills.eq(self.asked.valid & ~self.asked.by_host)
        m.d.comb += self.room.eq(~free[-1])
        m.d.sync += free.eq(free + Mux(fills, Mux(empties, 0, -1), empties))
