"""Scores of predicted samples, the values of the decision function, on their way to the host."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.core.junction_ports import RightValues
from presparse_hw.core.ports import ResultLayout
from presparse_hw.lib.queue import Queue
from presparse_hw.lib.skid import Skid


class ResultQueue(wiring.Component):
    """Holds the scores of predicted samples until they are read.

    Members
    -------
    right : In(RightValues)   a step's scores, of the output layer
    reserve : In(1)        a prediction is taken, and needs room
    room : Out(1)          one more prediction can be held; knows of `reserve` a cycle later
    results : Out(stream), waiting : Out(16)  whole results held, two cycles late
    """

    right: wiring.PureInterface
    reserve: Signal
    room: Signal
    results: stream.Interface
    waiting: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._junction = build.junctions[-1]
        super().__init__(
            {
                "right": In(RightValues(build, -1)),
                "reserve": In(1),
                "room": Out(1, init=1),
                "results": Out(stream.Signature(ResultLayout(build))),
                "waiting": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        capacity, steps, right = self._build.result_capacity, self._junction.steps, self.right
        m.submodules.queue = queue = Queue(ResultLayout(self._build), capacity * steps)
        # Who takes results stands far away, with the link: what it decides must not reach into the queue at once.
        m.submodules.stage = stage = Skid(ResultLayout(self._build))
        wiring.connect(m, queue.words, stage.i)
        wiring.connect(m, stage.o, wiring.flipped(self.results))
        step = Signal(range(steps))
        last = step == steps - 1
        write = right.valid & (right.item.kind == SampleKind.PREDICT)
        m.d.comb += [queue.write.eq(write), queue.word.scores.eq(Cat(right.values)), queue.word.last.eq(last)]
        with m.If(right.valid):
            m.d.sync += step.eq(Mux(last, 0, step + 1))

        reserved = Signal(range(capacity + 1))  # predictions in flight or held
        came = Signal()
        left = Signal()
        m.d.sync += [
            came.eq(write & last),
            left.eq(self.results.valid & self.results.ready & self.results.payload.last),
            reserved.eq(reserved + self.reserve - left),
            self.room.eq((reserved != capacity) & ~(self.reserve & (reserved == capacity - 1))),
            self.waiting.eq(self.waiting + came - left),
        ]
        return m
