"""RESULTS: from the core's result stream to bytes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.operations import Status
from presparse.contract.wire import value_bytes
from presparse_hw.core.ports import ResultLayout
from presparse_hw.link.ports import UnitSignature


class ResultPacker(wiring.Component):
    """Answers with as many whole results as are ready and fit, a byte per cycle and one more per transfer.

    Members
    -------
    run : Out(UnitSignature)  operation RESULTS
    results : In(stream)   the core's
    results_waiting : In   the core's
    """

    run: wiring.PureInterface
    results: stream.Interface
    results_waiting: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._most = build.results_per_answer
        super().__init__(
            {
                "run": Out(UnitSignature()),
                "results": In(stream.Signature(ResultLayout(build))),
                "results_waiting": In(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self._build.network.formats.output
        size, group = value_bytes(fmt), self._build.junctions[-1].group
        run, results = self.run, self.results
        left = Signal(range(self._most + 1))  # results to come
        last = Signal()  # the transfer is its result's last
        scores = Signal(group * 8 * size)  # sign-extended, shifted out byte by byte
        byte = Signal(range(group * size))
        extended = [
            Cat(score, score[-1].replicate(8 * size - fmt.width))
            for score in (results.payload.scores[i].as_unsigned() for i in range(group))
        ]
        m.d.comb += [run.answer.payload.eq(scores[:8]), run.status.eq(Status.OK)]

        with m.FSM():
            with m.State("Idle"):
                m.d.sync += left.eq(Mux(self.results_waiting > self._most, self._most, self.results_waiting))
                with m.If(run.start):
                    m.next = "Take"
            with m.State("Take"):
                m.d.sync += [scores.eq(Cat(extended)), last.eq(results.payload.last), byte.eq(0)]
                with m.If(left == 0):
                    m.d.comb += run.done.eq(1)
                    m.next = "Idle"
                with m.Else():
                    m.d.comb += results.ready.eq(1)
                    with m.If(results.valid):
                        m.next = "Give"
            with m.State("Give"):
                m.d.comb += run.answer.valid.eq(1)
                m.d.sync += [scores.eq(scores >> 8), byte.eq(byte + 1)]
                with m.If(byte == group * size - 1):
                    m.d.sync += left.eq(left - last)
                    m.next = "Take"
        return m
