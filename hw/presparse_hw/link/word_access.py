"""READ and WRITE: words of counters, edges and biases."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import REGION_SHIFT
from presparse.contract.operations import OPERATIONS, Operation, Status
from presparse_hw.core.ports import AnswerLayout, CommandLayout
from presparse_hw.link.counters import WORDS, CounterPort
from presparse_hw.link.ports import UnitSignature

MAX_READ_WORDS = OPERATIONS[Operation.READ].answer.most


class WordAccess(wiring.Component):
    """Reads or writes consecutive words. The last word is probed by a read before any is touched: as
    regions have no holes, and a request that leaves its region is refused, all words then exist.

    The bytes of one word pass while another is written or read: a word takes 5 cycles, if the memory takes no longer.
    Of counters, it takes 5 and their latency.

    Members
    -------
    run : Out(UnitSignature) operations READ and WRITE
    commands, answers : Out(stream), In(stream)   of the core; one command at a time
    counters : Out                                region 0, read only
    """

    run: wiring.PureInterface
    commands: stream.Interface
    answers: stream.Interface
    counters: wiring.PureInterface

    def __init__(self) -> None:
        super().__init__(
            {
                "run": Out(UnitSignature()),
                "commands": Out(stream.Signature(CommandLayout())),
                "answers": In(stream.Signature(AnswerLayout())),
                "counters": Out(CounterPort()),
            }
        )
        self._writing = Signal()
        self._region = Signal(32 - REGION_SHIFT)
        self._word = Signal(REGION_SHIFT)
        self._last_word = Signal(REGION_SHIFT + 1)  # one bit more tells that the request leaves its region
        self._left = Signal(range(MAX_READ_WORDS + 1))  # words after this one
        self._last = Signal()  # left == 0, a cycle late
        self._value = Signal(32)  # shifts in what arrives, and out what is answered
        self._byte = Signal(2)
        self._of_counters = Signal()
        self._bad_count = Signal()
        self._outside = Signal()
        self._bad_address = Signal()
        self._not_drained = Signal()
        self._probing = Signal()  # the next command reads the last word, to see whether it exists
        self._asking = Signal()  # for the word to be read next
        self._awaited = Signal()  # an answer
        self._taking = Signal()  # bytes of the request
        self._giving = Signal()  # bytes of a word
        self._passed = Signal()  # a word, a cycle ago

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = self.commands.payload
        m.d.comb += [
            self.counters.word.eq(self._word),
            command.address.eq(Cat(Mux(self._probing, self._last_word[:REGION_SHIFT], self._word), self._region)),
            command.data.eq(self._value),
            command.write.eq(self._writing & ~self._probing),
            self.run.answer.payload.eq(self._value[:8]),
            # From a register: it goes to the request's bytes, which are far away.
            self.run.payload.ready.eq(self._taking),
        ]
        m.d.sync += [self._writing.eq(self.run.operation == Operation.WRITE), self._last.eq(self._left == 0)]
        self._move_value(m)
        m.d.sync += self._passed.eq(0)
        with m.If(self._passed):
            m.d.sync += self._word.eq(self._word + 1)
        # Of READ two cycles before the next word may be given, of WRITE while its bytes are taken; by registers alone.
        with m.If((self._giving & (self._byte == 2)) | (self._passed & self._writing)):
            m.d.sync += self._left.eq(self._left - 1)
        with m.If(self._asking):
            m.d.comb += self.commands.valid.eq(1)
            with m.If(self.commands.ready):
                m.d.sync += [self._asking.eq(0), self._passed.eq(1)]
        with m.If(self.commands.valid & self.commands.ready):
            m.d.sync += self._awaited.eq(1)
        with m.If(self.answers.valid & self.answers.ready):
            answer = self.answers.payload
            m.d.sync += [
                self._awaited.eq(0),
                self._bad_address.eq(self._bad_address | answer.bad_address),
                self._not_drained.eq(self._not_drained | answer.not_drained),
            ]
        with m.FSM():
            self._take_request(m)
            self._check_range(m)
            self._read_words(m)
            self._write_words(m)
            with m.State("Finish"):
                with m.If(self._bad_address):
                    self._finish(m, Status.BAD_ADDRESS)
                with m.Elif(self._not_drained):
                    self._finish(m, Status.NOT_DRAINED)
                with m.Else():
                    self._finish(m, Status.OK)
        return m

    def _move_value(self, m: Module) -> None:
        """Byte by byte while some are taken or given; else READ takes what stands where its word will come from.

        Decided by registers, not by the state: that is known later, and some of it comes from afar."""
        payload, value = self.run.payload, self._value
        with m.If(self._giving | (self._taking & payload.valid)):
            m.d.sync += [value.eq(Cat(value[8:], payload.payload.data)), self._byte.eq(self._byte + 1)]
        with m.Elif(~self._taking & ~self._writing):
            m.d.sync += value.eq(Mux(self._of_counters, self.counters.data, self.answers.payload.data))

    def _take_request(self, m: Module) -> None:
        """Address and, of READ, count; the words of WRITE follow one by one."""
        byte, left, value = self._byte, self._left, self._value
        with m.State("Idle"):
            m.d.comb += self.answers.ready.eq(1)  # one that a stopped request did not wait for
            m.d.sync += [byte.eq(0), self._probing.eq(1), self._bad_count.eq(0), left.eq(self.run.length[2:] - 2)]
            m.d.sync += [self._bad_address.eq(0), self._not_drained.eq(0)]
            with m.If(self.run.start):
                m.d.sync += self._taking.eq(1)
                m.next = "Take-Address"
        with m.State("Take-Address"):
            with m.If(self.run.payload.valid & (byte == 3)):
                with m.If(self._writing):
                    m.d.sync += self._taking.eq(0)
                    m.next = "Find-Last"
                with m.Else():
                    m.next = "Take-Count"
            m.d.sync += Cat(self._word, self._region).eq(Cat(value[8:], self.run.payload.payload.data))
        with m.State("Take-Count"), m.If(self.run.payload.valid & (byte == 1)):
            m.d.sync += [byte.eq(0), self._taking.eq(0)]
            m.next = "Check-Count"
        with m.State("Check-Count"):
            m.d.sync += [
                left.eq(value[16:] - 1),
                self._bad_count.eq((value[16:] == 0) | (value[16:] > MAX_READ_WORDS)),
            ]
            m.next = "Find-Last"

    def _check_range(self, m: Module) -> None:
        """A cycle each for the sum, the comparison and the verdict: together they would be too slow."""
        with m.State("Find-Last"):
            m.d.sync += self._last_word.eq(self._word + self._left)
            m.next = "Check-Range"
        with m.State("Check-Range"):
            of_counters = self._region == 0
            m.d.sync += [
                self._of_counters.eq(of_counters),
                self._outside.eq(
                    self._last_word[REGION_SHIFT] | (of_counters & (self._writing | (self._last_word >= WORDS)))
                ),
            ]
            m.next = "Begin"
        with m.State("Begin"):
            m.next = "Probe"
            with m.If(self._bad_count):
                self._finish(m, Status.BAD_LENGTH)
            with m.Elif(self._outside):
                self._finish(m, Status.BAD_ADDRESS)
            with m.Elif(self._of_counters):
                m.next = "Take-Counter"
        with m.State("Probe"):
            m.d.comb += self.commands.valid.eq(1)
            with m.If(self.commands.ready):
                m.next = "Wait-Probe"
        with m.State("Wait-Probe"):
            m.d.comb += self.answers.ready.eq(1)
            with m.If(self.answers.valid):
                m.next = "Judge-Probe"
        with m.State("Judge-Probe"):
            m.d.sync += self._probing.eq(0)
            with m.If(self._bad_address | self._not_drained):
                m.next = "Finish"
            with m.Elif(self._writing):
                m.d.sync += self._taking.eq(1)
                m.next = "Take-Word"
            with m.Else():
                m.d.sync += self._asking.eq(1)
                m.next = "Wait-Word"

    def _read_words(self, m: Module) -> None:
        """The next word is asked for while one is given."""
        with m.State("Take-Counter"):
            m.d.comb += self.counters.read.eq(1)
            with m.If(self.counters.valid):
                m.d.sync += [self._passed.eq(1), self._giving.eq(1)]
                m.next = "Give-Word"
        with m.State("Wait-Word"):
            m.d.comb += self.answers.ready.eq(1)
            with m.If(self.answers.valid):
                m.d.sync += self._giving.eq(1)
                m.next = "Give-Word"
        with m.State("Give-Word"):
            m.d.comb += self.run.answer.valid.eq(1)
            with m.If(self._byte == 0):
                m.d.sync += self._asking.eq(~self._last & ~self._of_counters)
            with m.If(self._byte == 3):
                m.d.sync += self._giving.eq(0)
                m.next = "Wait-Word"
                with m.If(self._of_counters):
                    m.next = "Take-Counter"
                with m.If(self._last):
                    m.next = "Finish"

    def _write_words(self, m: Module) -> None:
        """The next word is taken while one is written."""
        with m.State("Take-Word"):
            m.d.comb += self.answers.ready.eq(1)
            with m.If(self.run.payload.valid & (self._byte == 3)):
                m.d.sync += self._taking.eq(0)
                m.next = "Write-Word"
        with m.State("Write-Word"):
            m.d.comb += [self.answers.ready.eq(1), self.commands.valid.eq(~self._awaited)]
            with m.If(self.commands.valid & self.commands.ready):
                m.d.sync += [self._passed.eq(1), self._taking.eq(~self._last)]
                m.next = "Take-Word"
                with m.If(self._last):
                    m.next = "Wait-Written"
        with m.State("Wait-Written"):
            m.d.comb += self.answers.ready.eq(1)
            with m.If(~self._awaited):
                m.next = "Finish"

    def _finish(self, m: Module, status: Status) -> None:
        m.d.comb += [self.run.done.eq(1), self.run.status.eq(status)]
        m.next = "Idle"
