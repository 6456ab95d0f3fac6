"""A run over stored samples: which is read when, and how it ends."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.store import LEAST_SLOT, StoreLayout
from presparse_hw.store.ports import RunLayout
from presparse_hw.store.sample_order import IndexSequence


class Player(wiring.Component):
    """Asks for the samples of a run as soon as they are taken, and ends it with a flush.

    The run is over when the core is drained behind the flush. Samples that were asked for are fed even if the run is
    stopped; if a stored one is bad, no more are: those that are still to come are dropped, and so is its part that the
    core may have.

    Members
    -------
    start : In(1), run : In, stop : In(1), running : Out(1)   as in `RunSignature`
    addresses : Out(stream)   of samples' first words
    reading : In(1)           something that was asked for is still to come
    decoding : In(1)          something that came was not yet taken by the core
    bad : In(1)               of the decoder, until `discard`
    forget : Out(1)           drop what is still to come
    discard : Out(1)          one cycle: drop the bad sample in decoder and core
    flush : Out(1)            offer a flush to the core, which takes it in the cycle of `flushed`
    flushed : In(1), drained : In(1)   of the core
    """

    start: Signal
    run: data.View
    stop: Signal
    running: Signal
    addresses: stream.Interface
    reading: Signal
    decoding: Signal
    bad: Signal
    forget: Signal
    discard: Signal
    flush: Signal
    flushed: Signal
    drained: Signal

    def __init__(self, store: StoreLayout) -> None:
        self._store = store
        super().__init__(
            {
                "start": In(1),
                "run": In(RunLayout()),
                "stop": In(1),
                "running": Out(1),
                "addresses": Out(stream.Signature(range(store.words))),
                "reading": In(1),
                "decoding": In(1),
                "bad": In(1),
                "forget": Out(1),
                "discard": Out(1),
                "flush": Out(1),
                "flushed": In(1),
                "drained": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequence = sequence = ResetInserter(self.start)(IndexSequence(self._store.capacity(LEAST_SLOT)))
        m.d.comb += sequence.run.eq(self.run)
        walking = Signal()
        walked = Signal()  # all were asked for
        stopping = Signal()
        free = ~self.addresses.valid | self.addresses.ready
        index = sequence.indices
        m.d.comb += index.ready.eq(walking & free)
        with m.If(free):
            m.d.sync += [
                self.addresses.valid.eq(index.valid & index.ready),
                self.addresses.payload.eq(index.payload.index << self.run.slot),
            ]
        with m.If(index.valid & index.ready):
            m.d.sync += walked.eq(index.payload.last)
        with m.If(self.stop):
            m.d.sync += stopping.eq(1)

        m.d.sync += self.discard.eq(0)
        with m.FSM():
            with m.State("Idle"), m.If(self.start):
                m.d.sync += [self.running.eq(1), walked.eq(0), stopping.eq(0)]
                m.next = "Walk"
            with m.State("Walk"):
                m.d.comb += walking.eq(~walked & ~stopping)
                with m.If(self.bad):
                    m.next = "Forget"
                with m.Elif((walked | stopping) & ~self.addresses.valid & ~self.reading & ~self.decoding):
                    m.next = "Flush"
            with m.State("Forget"):
                m.d.comb += self.forget.eq(1)
                m.d.sync += self.addresses.valid.eq(0)
                m.next = "Let-Come"
            with m.State("Let-Come"), m.If(~self.reading):
                m.d.sync += self.discard.eq(1)
                m.next = "Flush"
            with m.State("Flush"):
                m.d.comb += self.flush.eq(1)
                with m.If(self.flushed):
                    m.next = "Let-Drain"
            with m.State("Let-Drain"), m.If(self.drained):
                m.d.sync += self.running.eq(0)
                m.next = "Idle"
        return m
