"""Address generator of a run: which transfer of which stored sample comes when."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse_hw.store.first_row import FirstRow, SamplePlaceLayout
from presparse_hw.store.ports import RunLayout
from presparse_hw.store.sample_order import IndexSequence
from presparse_hw.store.stored_samples import PlaceLayout, store_of


class MarkLayout(data.StructLayout):
    """What a transfer is, besides its features."""

    def __init__(self) -> None:
        super().__init__(
            {
                "flush": 1,  # no part of a sample, but the run's flush
                "padding": 1,  # all features are 0
                "tail": 1,  # the last with stored features: those behind them are 0
                "final": 1,  # the sample's last
            }
        )


class StepLayout(data.StructLayout):
    """A transfer to be fetched."""

    def __init__(self, build: Build) -> None:
        super().__init__({"place": PlaceLayout(store_of(build)), "mark": MarkLayout()})


class Player(wiring.Component):
    """Walks the transfers of the samples of a run, and its flush.

    A sample takes N_0 / feature_port steps, one per cycle, and the next sample follows at once if its place is
    known by then (IndexSequence, FirstRow: a few cycles). The run is over when the core is drained behind the flush.

    Members
    -------
    start : In(1), run : In, stop : In(1), running : Out(1)   as in `RunSignature`
    steps : Out(stream)
    flushed : In(1)   the core takes the flush in this cycle
    drained : In(1)   the core's
    """

    start: Signal
    run: data.View
    stop: Signal
    running: Signal
    steps: stream.Interface
    flushed: Signal
    drained: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        super().__init__(
            {
                "start": In(1),
                "run": In(RunLayout()),
                "stop": In(1),
                "running": Out(1),
                "steps": Out(stream.Signature(StepLayout(build))),
                "flushed": In(1),
                "drained": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        store = store_of(self._build)
        m.submodules.sequence = sequence = ResetInserter(self.start)(IndexSequence(store.samples))
        m.submodules.first_row = first_row = ResetInserter(self.start)(FirstRow(store))
        wiring.connect(m, sequence.indices, first_row.indices)
        m.d.comb += sequence.run.eq(self.run)

        stopping = Signal()
        issue_flush = Signal()
        with m.If(self.start):
            m.d.sync += stopping.eq(0)
        with m.Elif(self.stop):
            m.d.sync += stopping.eq(1)
        walking = Signal()
        ended = self._walk(m, first_row.places, walking, stopping, issue_flush)
        with m.FSM():
            with m.State("Idle"), m.If(self.start):
                m.d.sync += self.running.eq(1)
                m.next = "Walk"
            with m.State("Walk"):
                m.d.comb += walking.eq(1)
                with m.If(ended):
                    m.next = "Flush"
            with m.State("Flush"):
                m.d.comb += issue_flush.eq(1)
                with m.If(~self.steps.valid | self.steps.ready):
                    m.next = "Wait-Flush"
            with m.State("Wait-Flush"), m.If(self.flushed):
                m.next = "Let-Drain"
            with m.State("Let-Drain"), m.If(self.drained):
                m.d.sync += self.running.eq(0)
                m.next = "Idle"
        return m

    def _walk(
        self, m: Module, places: stream.Interface, walking: Signal, stopping: Signal, issue_flush: Signal
    ) -> Signal:
        """Issue step after step; high when the last sample has been issued, or the one before a stop."""
        store = store_of(self._build)
        steps = store.left // store.port
        sample = Signal(SamplePlaceLayout(store), reset_less=True)  # the one that is walked
        have = Signal()
        step = Signal(range(steps))
        phase = Signal(range(store.fold))
        final = Signal()  # step == steps - 1
        row = Signal(range(store.depth))
        free = ~self.steps.valid | self.steps.ready
        over = have & free & final  # the sample's last step is issued
        ended = Signal()
        with m.If(have):
            m.d.comb += ended.eq(over & (sample.last | stopping))
        with m.Else():
            m.d.comb += ended.eq(stopping)
        m.d.comb += places.ready.eq(walking & ((over & ~sample.last) | ~have) & ~stopping)

        output = self.steps.payload
        with m.If(free):
            m.d.sync += [
                self.steps.valid.eq(have | issue_flush),
                output.place.sample.eq(sample.sample),
                output.place.row.eq(row),
                output.place.phase.eq(phase),
                output.place.transfer.eq(step),
                output.mark.flush.eq(issue_flush),
                output.mark.padding.eq(step >= store.transfers),
                output.mark.tail.eq(step == store.transfers - 1),
                output.mark.final.eq(final & ~issue_flush),
            ]
        with m.If(have & free):
            m.d.sync += [step.eq(step + 1), final.eq(step == steps - 2), phase.eq(phase + 1)]
            with m.If(phase == store.fold - 1):
                m.d.sync += [phase.eq(0), row.eq(row + 1)]
        with m.If(over):
            m.d.sync += have.eq(0)
        with m.If(places.valid & places.ready):
            m.d.sync += [sample.eq(places.payload), have.eq(1), row.eq(places.payload.row)]
            m.d.sync += [step.eq(0), final.eq(steps == 1), phase.eq(0)]
        return ended
