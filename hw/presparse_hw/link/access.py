"""READ and WRITE: words of counters, edges and biases."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.memory import COUNTER_BITS, LINK_COUNTERS, REGION_SHIFT
from presparse.contract.wire import Operation, Status
from presparse_hw.link.counters import WORDS, CounterReader
from presparse_hw.link.interfaces import UnitSignature
from presparse_hw.signature import AnswerLayout, CommandLayout, CounterLayout

MAX_READ_WORDS = 256


class MemoryAccess(wiring.Component):
    """Reads or writes consecutive words. The last word is probed by a read before any is touched: as
    regions have no holes, and a request that leaves its region is refused, all words then exist.

    A word takes about 8 cycles and the core's latency.

    Members
    -------
    run : In                 operations READ (6 bytes) and WRITE (4 + 4 n bytes, n from 1)
    commands, answers : Out(stream), In(stream)   of the core; one command at a time
    core_counters, link_counters : In             region 0, read only
    """

    run: wiring.PureInterface
    commands: stream.Interface
    answers: stream.Interface
    core_counters: data.View
    link_counters: data.View

    def __init__(self) -> None:
        super().__init__(
            {
                "run": In(UnitSignature()),
                "commands": Out(stream.Signature(CommandLayout())),
                "answers": In(stream.Signature(AnswerLayout())),
                "core_counters": In(CounterLayout()),
                "link_counters": In(data.StructLayout(dict.fromkeys(LINK_COUNTERS, COUNTER_BITS))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.counters = counters = CounterReader()
        run, command, answer = self.run, self.commands.payload, self.answers.payload
        region = Signal(32 - REGION_SHIFT)
        word = Signal(REGION_SHIFT)
        final = Signal(REGION_SHIFT + 1)  # last word; one bit more tells that the request leaves its region
        left = Signal(range(MAX_READ_WORDS + 1))  # words after this one
        value = Signal(32)  # shifts in what arrives, and out what is answered
        byte = Signal(2)
        of_counters, outside = Signal(), Signal()
        probing = Signal()
        writing = run.operation == Operation.WRITE

        m.d.comb += [
            counters.core.eq(self.core_counters),
            counters.link.eq(self.link_counters),
            counters.word.eq(word),
            command.address.eq(Cat(Mux(probing, final[:REGION_SHIFT], word), region)),
            command.data.eq(value),
            command.write.eq(writing & ~probing),
            run.answer.payload.eq(value[:8]),
        ]

        def finish(status: Status) -> None:
            m.d.comb += [run.done.eq(1), run.status.eq(status)]
            m.next = "Idle"

        def take_byte() -> None:
            m.d.comb += run.payload.ready.eq(1)
            with m.If(run.payload.valid):
                m.d.sync += [value.eq(Cat(value[8:], run.payload.payload.data)), byte.eq(byte + 1)]

        def next_word() -> None:
            m.d.sync += [word.eq(word + 1), left.eq(left - 1)]
            with m.If(left == 0):
                m.next = "Done"
            with m.Elif(writing):
                m.next = "Take-Word"
            with m.Else():
                m.next = "Access"

        with m.FSM():
            with m.State("Idle"):
                m.d.comb += self.answers.ready.eq(1)  # one that a stopped request did not wait for
                m.d.sync += [byte.eq(0), probing.eq(1), left.eq(run.length[2:] - 2)]
                with m.If(run.start):
                    m.next = "Take-Address"
            with m.State("Take-Address"):
                take_byte()
                with m.If(run.payload.valid & (byte == 3)):
                    with m.If(writing):
                        m.next = "Find-Last"
                    with m.Else():
                        m.next = "Take-Count"
                m.d.sync += Cat(word, region).eq(Cat(value[8:], run.payload.payload.data))
            with m.State("Take-Count"):
                take_byte()
                with m.If(run.payload.valid & (byte == 1)):
                    m.d.sync += byte.eq(0)
                    m.next = "Check-Count"
            with m.State("Check-Count"):
                m.d.sync += left.eq(value[16:] - 1)
                with m.If((value[16:] == 0) | (value[16:] > MAX_READ_WORDS)):
                    finish(Status.BAD_LENGTH)
                with m.Else():
                    m.next = "Find-Last"
            with m.State("Find-Last"):
                m.d.sync += final.eq(word + left)
                m.next = "Check-Range"
            with m.State("Check-Range"):
                m.d.sync += [
                    of_counters.eq(region == 0),
                    outside.eq(final[REGION_SHIFT] | ((region == 0) & (writing | (final >= WORDS)))),
                ]
                m.next = "Begin"
            with m.State("Begin"):
                m.d.sync += probing.eq(~of_counters)
                m.next = "Access"
                with m.If(outside):
                    finish(Status.BAD_ADDRESS)
            with m.State("Take-Word"):
                take_byte()
                with m.If(run.payload.valid & (byte == 3)):
                    m.next = "Access"
            with m.State("Access"):
                with m.If(of_counters):
                    m.d.comb += counters.read.eq(1)
                    m.next = "Take-Counter"
                with m.Else():
                    m.d.comb += self.commands.valid.eq(1)
                    with m.If(self.commands.ready):
                        m.next = "Wait-Answer"
            with m.State("Take-Counter"):
                m.d.sync += value.eq(counters.data)
                m.next = "Give-Word"
            with m.State("Wait-Answer"):
                m.d.comb += self.answers.ready.eq(1)
                with m.If(self.answers.valid):
                    m.d.sync += [value.eq(answer.data), probing.eq(0)]
                    with m.If(answer.bad_address):
                        finish(Status.BAD_ADDRESS)
                    with m.Elif(answer.not_drained):
                        finish(Status.NOT_DRAINED)
                    with m.Elif(writing & probing):
                        m.next = "Take-Word"
                    with m.Elif(writing):
                        next_word()
                    with m.Elif(probing):
                        m.next = "Access"
                    with m.Else():
                        m.next = "Give-Word"
            with m.State("Give-Word"):
                m.d.comb += run.answer.valid.eq(1)
                m.d.sync += [value.eq(value >> 8), byte.eq(byte + 1)]
                with m.If(byte == 3):
                    next_word()
            with m.State("Done"):
                finish(Status.OK)
        return m
