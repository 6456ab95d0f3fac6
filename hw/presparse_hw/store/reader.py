"""Between a run and the memory: what was asked for, and can be forgotten."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse_hw.lib.skid import Skid
from presparse_hw.store.memory_ports import SampleWordLayout

MOST_ASKED = 7
"""Samples that are asked for at once: more than a memory takes ahead, so that none waits for the run."""


class Reader(wiring.Component):
    """Passes addresses to the memory, one every other cycle, and words back; latency 1 and 1.

    A memory cannot be told to stop: words of what was asked for before `forget` are dropped as they come, and no
    address is taken before the last one. So the reader, as the memory, is never reset.

    Parameters
    ----------
    words : of the memory

    Members
    -------
    addresses : In(stream), words : Out(stream)       of the run
    memory_reads : Out(stream), memory_words : In(stream)
    forget : In(1)
    idle : Out(1)   nothing that was asked for is still to come
    """

    addresses: stream.Interface
    words: stream.Interface
    memory_reads: stream.Interface
    memory_words: stream.Interface
    forget: Signal
    idle: Signal

    def __init__(self, words: int) -> None:
        address, word = stream.Signature(range(words)), stream.Signature(SampleWordLayout())
        super().__init__(
            {
                "addresses": In(address),
                "words": Out(word),
                "memory_reads": Out(address),
                "memory_words": In(word),
                "forget": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        asked = Signal(range(MOST_ASKED + 1))
        forgetting = Signal()
        # Memory, run and decoder are far apart: what one of them does reaches no other in the same cycle.
        m.submodules.skid = skid = Skid(SampleWordLayout())
        wiring.connect(m, wiring.flipped(self.memory_words), skid.i)
        free = ~self.memory_reads.valid
        asks = self.addresses.valid & self.addresses.ready
        returned = Signal()
        m.d.sync += returned.eq(skid.o.valid & skid.o.ready & skid.o.payload.last)
        m.d.comb += [
            self.addresses.ready.eq(free & (asked != MOST_ASKED) & ~forgetting),
            self.words.valid.eq(skid.o.valid & ~forgetting),
            self.words.payload.eq(skid.o.payload),
            skid.o.ready.eq(self.words.ready | forgetting),
            self.idle.eq((asked == 0) & ~forgetting),
        ]
        m.d.sync += asked.eq(asked + asks - returned)
        with m.If(self.memory_reads.ready):
            m.d.sync += self.memory_reads.valid.eq(0)
        with m.If(free):
            m.d.sync += [self.memory_reads.valid.eq(asks), self.memory_reads.payload.eq(self.addresses.payload)]
        with m.If(self.forget):
            m.d.sync += forgetting.eq(1)
        with m.Elif(asked == 0):
            m.d.sync += forgetting.eq(0)
        return m
