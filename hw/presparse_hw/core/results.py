"""Scores of predicted samples, on their way to the host."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.core.item import ItemLayout
from presparse_hw.core.ports import ResultLayout
from presparse_hw.lib.queue import Queue


class ResultQueue(wiring.Component):
    """Holds the scores of predicted samples until they are read.

    Members
    -------
    valid : In(1), values : In.array(group), item : In   a step's scores
    reserve : In(1)        a prediction is taken, and needs room
    room : Out(1)          one more prediction can be held; knows of `reserve` a cycle later
    results : Out(stream), waiting : Out(16)  whole results held, two cycles late
    """

    valid: Signal
    values: Sequence[Signal]
    item: data.View
    reserve: Signal
    room: Signal
    results: stream.Interface
    waiting: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._junction = j = build.junctions[-1]
        super().__init__(
            {
                "valid": In(1),
                "values": In(signed(build.network.formats.output.width)).array(j.group),
                "item": In(ItemLayout(build)),
                "reserve": In(1),
                "room": Out(1, init=1),
                "results": Out(stream.Signature(ResultLayout(build))),
                "waiting": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        capacity, steps = self._build.result_capacity, self._junction.steps
        m.submodules.queue = queue = Queue(ResultLayout(self._build), capacity * steps)
        wiring.connect(m, queue.words, wiring.flipped(self.results))
        step = Signal(range(steps))
        last = step == steps - 1
        write = self.valid & (self.item.kind == SampleKind.PREDICT)
        m.d.comb += [queue.write.eq(write), queue.word.scores.eq(Cat(self.values)), queue.word.last.eq(last)]
        with m.If(self.valid):
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
