"""RESULTS: from the core's result stream to bytes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.operations import Status
from presparse.contract.wire import ResultForm, class_bytes, value_bytes
from presparse_hw.core.ports import ResultLayout
from presparse_hw.link.ports import UnitSignature


class ResultPacker(wiring.Component):
    """Answers with as many whole results as are ready and fit: a result of scores takes a cycle per byte, and one more
    per transfer; one of the class, two cycles per score, one per byte, and one more per transfer.

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
        super().__init__(
            {
                "run": Out(UnitSignature()),
                "results": In(stream.Signature(ResultLayout(build))),
                "results_waiting": In(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        classes = self._build.network.classes
        fmt = self._build.network.formats.output
        size, group = 8 * value_bytes(fmt), self._build.junctions[-1].group
        most_scores, most_classes = (self._build.results_per_answer(form) for form in ResultForm)
        run, results = self.run, self.results
        form = Signal(8)
        most = Signal(range(max(most_scores, most_classes) + 1))  # results of this form that an answer holds
        ready = Signal.like(self.results_waiting)  # whole results, when the request came
        more = Signal()  # they are more than an answer holds
        left = Signal.like(most)  # results to come
        last = Signal()  # the transfer is its result's last
        scores = Signal(group * size)  # sign-extended, shifted out byte by byte, or score by score
        byte = Signal(range(max(group * size // 8, class_bytes(classes))))
        score = Signal(range(group))
        extended = [
            Cat(value, value[-1].replicate(size - fmt.width))
            for value in (results.payload.scores[i].as_unsigned() for i in range(group))
        ]
        number = Signal(range(self._build.network.layers[-1] + 1))  # of the lowest score
        best = Signal(signed(fmt.width))
        greater = Signal()  # than the best one; this and what follows are a cycle late
        counts = Signal()  # it is a class's
        first = Signal()
        winner = Signal(8 * class_bytes(classes))
        challenger = scores[: fmt.width].as_signed()
        m.d.comb += [
            run.status.eq(Status.OK),
            run.answer.payload.eq(Mux(form == ResultForm.CLASS, winner[:8], scores[:8])),
        ]
        m.d.sync += [
            more.eq(ready > most),
            greater.eq((best - challenger)[-1]),  # of a signed comparison synthesis makes two carry chains
            counts.eq(number < classes),
            first.eq(number == 0),
        ]

        with m.FSM():
            with m.State("Idle"), m.If(run.start):
                m.next = "Take-Form"
            with m.State("Take-Form"):
                m.d.comb += run.payload.ready.eq(1)
                m.d.sync += form.eq(run.payload.payload.data)
                with m.If(run.payload.valid):
                    m.next = "Begin"
            with m.State("Begin"):
                m.d.sync += [
                    most.eq(Mux(form == ResultForm.CLASS, most_classes, most_scores)),
                    ready.eq(self.results_waiting),
                ]
                m.next = "Count"
                with m.If((form != ResultForm.SCORES) & (form != ResultForm.CLASS)):
                    m.d.comb += [run.done.eq(1), run.status.eq(Status.BAD_LENGTH)]
                    m.next = "Idle"
            with m.State("Count"):  # from now on `more` tells of these
                m.next = "Choose"
            with m.State("Choose"):
                m.d.sync += [left.eq(Mux(more, most, ready)), number.eq(0)]
                m.next = "Take"
            with m.State("Take"):
                m.d.sync += [scores.eq(Cat(extended)), last.eq(results.payload.last), byte.eq(0), score.eq(0)]
                with m.If(left == 0):
                    m.d.comb += run.done.eq(1)
                    m.next = "Idle"
                with m.Else():
                    m.d.comb += results.ready.eq(1)
                    with m.If(results.valid):
                        m.next = "Give"
                        with m.If(form == ResultForm.CLASS):
                            m.next = "Compare"
            with m.State("Give"):
                m.d.comb += run.answer.valid.eq(1)
                m.d.sync += [scores.eq(scores >> 8), byte.eq(byte + 1)]
                with m.If(byte == group * size // 8 - 1):
                    m.d.sync += left.eq(left - last)
                    m.next = "Take"
            with m.State("Compare"):
                m.next = "Keep"
            with m.State("Keep"):
                m.d.sync += [scores.eq(scores >> size), score.eq(score + 1), number.eq(number + 1)]
                with m.If(counts & (first | greater)):
                    m.d.sync += [best.eq(challenger), winner.eq(number)]
                m.next = "Compare"
                with m.If(score == group - 1):
                    m.next = "Take"
                    with m.If(last):
                        m.next = "Give-Class"
            with m.State("Give-Class"):
                m.d.comb += run.answer.valid.eq(1)
                m.d.sync += [winner.eq(winner >> 8), byte.eq(byte + 1)]
                with m.If(byte == class_bytes(classes) - 1):
                    m.d.sync += [left.eq(left - 1), number.eq(0)]
                    m.next = "Take"
        return m
