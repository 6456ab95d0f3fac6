"""The words and samples of an SDRAM, in a read phase that is given."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from presparse_hw.store.memory_ports import MemoryCommandLayout, SampleWordLayout
from presparse_hw.store.sdram.chip import Sdram
from presparse_hw.store.sdram.controller import SdramController
from presparse_hw.store.sdram.ports import READ_PHASES, SdramPadSignature
from presparse_hw.store.sdram.returns import Returns


class SdramAccess(wiring.Component):
    """The chip's controller, and the way back from the chip.

    Parameters
    ----------
    sdram : Sdram
    length_shift : the length of a sample in words is its first word shifted right by this
    most_words : of a sample; a longer one is cut to this, one of length 0 has one word

    Members
    -------
    commands, answers, reads, words   as in `SampleMemorySignature`
    pads : SdramPadSignature
    phase : In        when data are sampled; changes only between an answer and the next command
    blank : In(1)     the chip is taken for one that holds zeros
    """

    commands: stream.Interface
    answers: stream.Interface
    reads: stream.Interface
    words: stream.Interface
    pads: wiring.PureInterface
    phase: Signal
    blank: Signal

    def __init__(self, sdram: Sdram, *, length_shift: int, most_words: int) -> None:
        self._controller = SdramController(sdram, most_words)
        self._returns = Returns(sdram, length_shift=length_shift, most_words=most_words)
        super().__init__(
            {
                "commands": In(stream.Signature(MemoryCommandLayout(sdram.chip.words))),
                "answers": Out(stream.Signature(32)),
                "reads": In(stream.Signature(range(sdram.chip.words))),
                "words": Out(stream.Signature(SampleWordLayout())),
                "pads": Out(SdramPadSignature(sdram.chip)),
                "phase": In(range(READ_PHASES)),
                "blank": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.controller = controller = self._controller
        m.submodules.returns = returns = self._returns
        connect(m, flipped(self.commands), controller.commands)
        connect(m, flipped(self.reads), controller.reads)
        connect(m, controller.pads, flipped(self.pads))
        connect(m, returns.answers, flipped(self.answers))
        connect(m, returns.words, flipped(self.words))
        m.d.comb += [
            *(returned.eq(pad) for returned, pad in zip(returns.dq_i, self.pads.dq_i, strict=True)),
            returns.phase.eq(self.phase),
            returns.blank.eq(self.blank),
            returns.asked.eq(controller.asked),
            returns.written.eq(controller.written),
            controller.room.eq(returns.room),
            controller.length.eq(returns.length),
            controller.quiet.eq(returns.quiet),
            controller.done.eq(self.answers.valid & self.answers.ready),
        ]
        return m
