"""Samples in block RAM."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from presparse.contract.sample_words import WORD_BITS
from presparse.contract.store import StoreLayout, StoreState
from presparse_hw.lib.banks import BANK_LATENCY, Banks
from presparse_hw.lib.delays import later
from presparse_hw.lib.skid import Skid
from presparse_hw.store.memory_ports import SampleMemorySignature, SampleWordLayout

READ_LATENCY = BANK_LATENCY + 1
"""Cycles from an address to its word: the pair that it is in, then the word."""


class BlockMemory(wiring.Component):
    """A sample memory of any size; its words lie in pairs, as the host sees them.

    Of a sample, a word is read per cycle. How many there are is known when its first one comes, `READ_LATENCY` cycles
    after it was asked for: what was read beyond a shorter sample is dropped. So a sample takes as many cycles as it has
    words, at least 1 + `READ_LATENCY`; with nothing before it, its first word comes `READ_LATENCY` + 3 cycles after its
    address was taken.

    A first word that says 0 counts for a whole sample. Words beyond the memory are anything.

    Members
    -------
    memory : SampleMemorySignature
    """

    memory: wiring.PureInterface

    def __init__(self, store: StoreLayout) -> None:
        self._store = store
        super().__init__({"memory": Out(SampleMemorySignature(store.words))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        memory = self.memory
        m.submodules.banks = banks = Banks([2 * WORD_BITS], self._store.words // 2)
        m.submodules.skid = skid = Skid(SampleWordLayout())
        wiring.connect(m, skid.o, wiring.flipped(memory.words))
        address = Signal.like(memory.reads.payload, reset_less=True)
        m.d.comb += [
            memory.state.eq(StoreState.READY),
            banks.move.eq(skid.i.ready),
            banks.address.eq(address[1:]),
            banks.write_address.eq(address[1:]),
        ]
        self._read(m, address, banks.data, skid.i)
        self._execute(m, address, banks)
        return m

    def _read(self, m: Module, address: Signal, pair: Signal, words: stream.Interface) -> None:
        """Ask for word after word, and tell those of a sample from those behind it."""
        move, reads = words.ready, self.memory.reads
        following = Signal.like(address, reset_less=True)  # the next sample's
        waits = Signal()  # there is one
        reading = Signal()  # `address` is a sample's
        first = Signal()  # its first word's
        m.d.comb += reads.ready.eq(~waits)
        with m.If(reads.valid & reads.ready):
            m.d.sync += [waits.eq(1), following.eq(reads.payload)]

        # The word that comes.
        odd = later(m, address[0], BANK_LATENCY, move, name="odd")
        came = later(m, reading, READ_LATENCY, move, name="came", reset=True)
        came_first = later(m, first, READ_LATENCY, move, name="came_first", reset=True)
        word = Signal(WORD_BITS, reset_less=True)
        with m.If(move):
            m.d.sync += word.eq(pair.word_select(odd, WORD_BITS))
        length = Signal(WORD_BITS)  # if it is a first one
        left = Signal(WORD_BITS, reset_less=True)  # else: of its sample, with itself
        m.d.comb += [
            length.eq(word >> self._store.format.length_shift),
            words.valid.eq(came & (came_first | (left != 0))),
            words.payload.word.eq(word),
            words.payload.last.eq(Mux(came_first, length <= 1, left == 1)),
        ]
        with m.If(words.valid & move):
            m.d.sync += left.eq(Mux(words.payload.last, 0, Mux(came_first, length, left) - 1))

        # The word that is asked for: the one `READ_LATENCY` behind the first when that comes.
        known = Signal()  # where the sample ends
        behind = Signal(WORD_BITS, reset_less=True)  # words to be asked for behind this one
        ends = Signal()
        m.d.comb += ends.eq(Mux(known, behind == 0, came_first & (length <= 1 + READ_LATENCY)))
        with m.If(move):
            m.d.sync += [first.eq(0), behind.eq(Mux(known, behind - 1, length - (2 + READ_LATENCY)))]
            with m.If(~reading | ends):
                m.d.sync += [reading.eq(waits), first.eq(waits), known.eq(0)]
                with m.If(waits):
                    m.d.sync += [waits.eq(0), address.eq(following)]
            with m.Else():
                m.d.sync += [address.eq(address + 1), known.eq(known | came_first)]

    def _execute(self, m: Module, address: Signal, banks: Banks) -> None:
        """The host's words, while nothing is read."""
        commands, answers = self.memory.commands, self.memory.answers
        command = commands.payload
        wait = Signal(range(BANK_LATENCY + 1))
        m.d.sync += banks.write.eq(0)
        with m.FSM():
            with m.State("Accept"):
                m.d.comb += commands.ready.eq(1)
                m.d.sync += [wait.eq(BANK_LATENCY), banks.write_data.eq(command.data)]
                with m.If(commands.valid):
                    m.d.sync += [address.eq(command.address << 1), banks.write.eq(command.write)]
                    m.d.sync += answers.payload.eq(0)
                    m.next = "Read"
                    with m.If(command.write):
                        m.next = "Answer"
            with m.State("Read"):
                m.d.sync += [wait.eq(wait - 1), answers.payload.eq(banks.data)]
                with m.If(wait == 0):
                    m.next = "Answer"
            with m.State("Answer"):
                m.d.comb += answers.valid.eq(1)
                with m.If(answers.ready):
                    m.next = "Accept"
