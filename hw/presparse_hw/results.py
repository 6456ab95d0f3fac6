"""The output layer's scores: results to the host, and whether predictions were correct."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.schedule import tree_levels
from presparse.contract.wire import SampleKind
from presparse_hw.item import ItemLayout
from presparse_hw.pipeline import delay
from presparse_hw.signature import ResultLayout


class ResultQueue(wiring.Component):
    """Holds the scores of predicted samples until they are read.

    Members
    -------
    valid : In(1), values : In.array(group), item : In   a step's scores
    block : In(1), block_item : In  a block starts: a prediction reserves its room
    room : Out(1)          one more prediction can be held
    results : Out(stream), waiting : Out(16)  whole results held
    """

    valid: Signal
    values: Sequence[Signal]
    item: data.View
    block: Signal
    block_item: data.View
    room: Signal
    results: stream.Interface
    waiting: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._junction = j = build.junctions[-1]
        item = ItemLayout(build)
        super().__init__(
            {
                "valid": In(1),
                "values": In(signed(build.network.formats.output.width)).array(j.group),
                "item": In(item),
                "block": In(1),
                "block_item": In(item),
                "room": Out(1),
                "results": Out(stream.Signature(ResultLayout(build))),
                "waiting": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        capacity, steps = self._build.result_capacity, self._junction.steps
        width = ResultLayout(self._build).size
        # At least 3: a buffered FIFO of 2 refuses the second of two writes in a row.
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=width, depth=max(3, capacity * steps))
        step = Signal(range(steps))
        last = step == steps - 1
        write = self.valid & (self.item.kind == SampleKind.PREDICT)
        m.d.comb += [
            queue.w_data.eq(Cat(*self.values, last)),
            queue.w_en.eq(write),
            self.results.payload.eq(queue.r_data),
            self.results.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.results.ready),
        ]
        with m.If(self.valid):
            m.d.sync += step.eq(Mux(last, 0, step + 1))

        reserved = Signal(range(capacity + 1))  # predictions in flight or held
        reserve = self.block & (self.block_item.kind == SampleKind.PREDICT)
        leave = self.results.valid & self.results.ready & self.results.payload.last
        m.d.sync += [
            reserved.eq(reserved + reserve - leave),
            self.waiting.eq(self.waiting + (write & last) - leave),
        ]
        m.d.comb += self.room.eq((reserved != capacity) & ~reserve)
        return m


class ArgMax(wiring.Component):
    """The class with the largest score, the first of equals; padding outputs do not count.

    Members
    -------
    valid : In(1), values : In.array(group), item : In   a step's scores
    correct : Out(1)  a labelled sample was predicted correctly (a pulse, some cycles later)
    """

    valid: Signal
    values: Sequence[Signal]
    item: data.View
    correct: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._junction = j = build.junctions[-1]
        super().__init__(
            {
                "valid": In(1),
                "values": In(signed(build.network.formats.output.width)).array(j.group),
                "item": In(ItemLayout(build)),
                "correct": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        group, steps = self._junction.group, self._junction.steps
        levels = tree_levels(group)
        valid = delay(m, self.valid, levels, name="valid", reset=True)
        item = delay(m, self.item, levels, name="item", reset=True)
        step = Signal(range(steps))
        base = Signal(range(self._junction.right))
        score, column = self._best_of_step(m)

        best, winner = Signal.like(score), Signal(range(self._junction.right))
        real = base + column < self._build.network.classes
        better = real & ((step == 0) | (score > best))
        ended, label = Signal(), Signal.like(item.label)
        m.d.sync += ended.eq(0)
        with m.If(valid):
            m.d.sync += [step.eq(step + 1), base.eq(base + group)]
            with m.If(better):
                m.d.sync += [best.eq(score), winner.eq(base + column)]
            with m.If(step == steps - 1):
                m.d.sync += [
                    step.eq(0),
                    base.eq(0),
                    ended.eq((item.kind == SampleKind.TRAIN) | (item.kind == SampleKind.EVALUATE)),
                    label.eq(item.label),
                ]
        m.d.comb += self.correct.eq(ended & (winner == label))
        return m

    def _best_of_step(self, m: Module) -> tuple[Value, Value]:
        """The largest score of a step and its column, `tree_levels(group)` cycles later.

        Within the step that holds the last class, columns of padding outputs must lose.
        """
        classes, group = self._build.network.classes, self._junction.group
        base = Signal(range(self._junction.right), name="first_of_step")
        with m.If(self.valid):
            m.d.sync += base.eq(Mux(base == self._junction.right - group, 0, base + group))
        entries: list[tuple[Value, Value, Value]] = []
        for i, value in enumerate(self.values):
            entries.append((base + i < classes, value, Const(i, range(group))))
        for depth in range(1, tree_levels(group) + 1):
            merged = []
            for i in range(0, len(entries), 2):
                ok, score, column = entries[i]
                if i + 1 < len(entries):
                    other_ok, other_score, other_column = entries[i + 1]
                    other = other_ok & (~ok | (other_score > score))
                    ok, score, column = ok | other_ok, Mux(other, other_score, score), Mux(other, other_column, column)
                new = (
                    Signal(name=f"ok_{depth}_{i}"),
                    Signal(self.values[0].shape(), name=f"score_{depth}_{i}"),
                    Signal(range(group), name=f"column_{depth}_{i}"),
                )
                m.d.sync += [register.eq(value) for register, value in zip(new, (ok, score, column), strict=True)]
                merged.append(new)
            entries = merged
        return entries[0][1], entries[0][2]
