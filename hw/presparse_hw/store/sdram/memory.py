"""An SDRAM as a memory of samples."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from presparse.contract.store import StoreState
from presparse_hw.lib.skid import Skid
from presparse_hw.store.memory_ports import SampleMemorySignature
from presparse_hw.store.sdram.access import SdramAccess
from presparse_hw.store.sdram.chip import Sdram
from presparse_hw.store.sdram.ports import READ_PHASES, SdramPadSignature
from presparse_hw.store.sdram.self_test import SelfTest


class SdramMemory(wiring.Component):
    """An SDRAM for its self-test at first, and then for everybody.

    A memory that failed its test is as good as one of zeros: all commands are answered with 0, all reads with one word.

    A reset begins anew with the start of the chip and the test, which changes what is stored: it is for power-on only.

    Parameters
    ----------
    sdram : Sdram
    length_shift : the length of a sample in words is its first word shifted right by this
    most_words : of a sample; a longer one is cut to this, one of length 0 has one word

    Members
    -------
    memory : SampleMemorySignature   of all words of the chip
    pads : SdramPadSignature
    phase : Out     the read phase (`ports.READ_PHASES`) that is used
    works : Out     bit p: phase p passed the test
    """

    memory: wiring.PureInterface
    pads: wiring.PureInterface
    phase: Signal
    works: Signal

    def __init__(self, sdram: Sdram, *, length_shift: int, most_words: int) -> None:
        self._access = SdramAccess(sdram, length_shift=length_shift, most_words=most_words)
        self._test = SelfTest(sdram.chip.words)
        super().__init__(
            {
                "memory": Out(SampleMemorySignature(sdram.chip.words)),
                "pads": Out(SdramPadSignature(sdram.chip)),
                "phase": Out(range(READ_PHASES)),
                "works": Out(READ_PHASES),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.access = access = self._access
        m.submodules.test = test = self._test
        # The host's commands come out of registers, and what decides that one is taken ends there.
        m.submodules.commands = commands = Skid(self.memory.commands.payload.shape())
        memory, testing = self.memory, Signal()
        connect(m, flipped(memory.commands), commands.i)
        connect(m, access.pads, flipped(self.pads))
        m.d.comb += [
            testing.eq(test.state == StoreState.TESTING),
            access.phase.eq(test.phase),
            access.blank.eq(test.state == StoreState.FAILED),
            memory.state.eq(test.state),
            self.phase.eq(test.phase),
            self.works.eq(test.works),
        ]
        # Commands and answers are the test's while it lasts; reads wait for its end.
        m.d.comb += [
            access.commands.payload.eq(Mux(testing, test.commands.payload.as_value(), commands.o.payload.as_value())),
            access.commands.valid.eq(Mux(testing, test.commands.valid, commands.o.valid)),
            test.commands.ready.eq(testing & access.commands.ready),
            commands.o.ready.eq(~testing & access.commands.ready),
            test.answers.payload.eq(access.answers.payload),
            test.answers.valid.eq(testing & access.answers.valid),
            memory.answers.payload.eq(access.answers.payload),
            memory.answers.valid.eq(~testing & access.answers.valid),
            access.answers.ready.eq(Mux(testing, test.answers.ready, memory.answers.ready)),
            access.reads.payload.eq(memory.reads.payload),
            access.reads.valid.eq(~testing & memory.reads.valid),
            memory.reads.ready.eq(~testing & access.reads.ready),
        ]
        connect(m, access.words, flipped(memory.words))
        return m
