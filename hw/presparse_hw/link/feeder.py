"""SAMPLES and FLUSH: records and flushes for the core, one request after the other."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.operations import Operation, Status
from presparse_hw.core.ports import SampleLayout
from presparse_hw.lib.skid import Skid
from presparse_hw.link.ports import ByteLayout, CompressedSignature, UnitSignature
from presparse_hw.link.sample_parser import SampleParser


class Feeder(wiring.Component):
    """Runs SAMPLES and FLUSH.

    SAMPLES is answered when the core has taken all its whole records. Half a record waits here, in the decoder and in
    the core for its rest in the next SAMPLES. Resetting the feeder, together with the core's `discard`, drops it, and
    must drop a bad record. FLUSH in the middle of a record is BAD_SAMPLE.

    Members
    -------
    run : Out(UnitSignature)
    samples : Out(stream)  the core's
    compressed : In        of the decoder; unused in builds without `sample_bits`
    discard : Out(1)       one cycle: a record is bad
    results_waiting, drained : In   the core's
    accepted : Out(1)      one cycle per record that the core took whole
    between : Out(1)       no record has begun
    """

    run: wiring.PureInterface
    samples: stream.Interface
    compressed: wiring.PureInterface
    discard: Signal
    results_waiting: Signal
    drained: Signal
    accepted: Signal
    between: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        super().__init__(
            {
                "run": Out(UnitSignature()),
                "samples": Out(stream.Signature(SampleLayout(build))),
                "compressed": In(CompressedSignature()),
                "discard": Out(1),
                "results_waiting": In(16),
                "drained": In(1),
                "accepted": Out(1),
                "between": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.parser = parser = SampleParser(self._build)
        wiring.connect(m, parser.samples, wiring.flipped(self.samples))
        wiring.connect(m, parser.words, wiring.flipped(self.compressed.words))
        # That the parser takes a byte comes late, and where bytes come from is far away.
        m.submodules.stage = stage = Skid(ByteLayout())
        wiring.connect(m, stage.o, parser.i)
        run = self.run
        bad = parser.bad | self.compressed.bad
        waiting = Signal(16, reset_less=True)
        flushes = Signal()
        m.d.sync += flushes.eq(run.operation == Operation.FLUSH)
        m.d.comb += [
            self.accepted.eq(parser.accepted | self.compressed.accepted),
            self.between.eq(parser.between),
            parser.settled.eq(self.compressed.settled),
            stage.i.payload.eq(run.payload.payload),
            run.answer.payload.eq(waiting[:8]),
        ]

        def finish(status: Status) -> None:
            m.d.comb += [run.done.eq(1), run.status.eq(status)]
            m.next = "Idle"

        with m.FSM():
            with m.State("Idle"):
                with m.If(run.start & flushes):
                    m.next = "Flush"
                with m.Elif(run.start):
                    m.next = "Feed"
            with m.State("Feed"):
                m.d.comb += [stage.i.valid.eq(run.payload.valid), run.payload.ready.eq(stage.i.ready)]
                with m.If(bad):
                    m.d.comb += self.discard.eq(1)
                    finish(Status.BAD_SAMPLE)
                with m.Elif(stage.i.valid & stage.i.ready & run.payload.payload.last):
                    m.next = "Wait-Core"
            with m.State("Wait-Core"):
                m.d.sync += waiting.eq(self.results_waiting)
                with m.If(bad):
                    m.d.comb += self.discard.eq(1)
                    finish(Status.BAD_SAMPLE)
                with m.Elif(~stage.o.valid & ~parser.waiting):
                    m.next = "Low-Byte"
            with m.State("Low-Byte"):
                m.d.comb += run.answer.valid.eq(1)
                m.d.sync += waiting.eq(waiting[8:])
                m.next = "High-Byte"
            with m.State("High-Byte"):
                m.d.comb += run.answer.valid.eq(1)
                finish(Status.OK)
            with m.State("Flush"):
                with m.If(parser.between):
                    m.d.comb += parser.flush.eq(1)
                    m.next = "Wait-Flush"
                with m.Else():
                    finish(Status.BAD_SAMPLE)
            with m.State("Wait-Flush"), m.If(self.samples.ready):
                m.next = "Flushed"
            with m.State("Flushed"):  # `drained` knows of a sample two cycles later
                m.next = "Let-Drain"
            with m.State("Let-Drain"), m.If(self.drained):
                finish(Status.OK)
        return m
