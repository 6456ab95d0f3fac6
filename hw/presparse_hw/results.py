"""The output layer's scores: results to the host, and whether predictions were correct."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.schedule import tree_levels
from presparse.contract.wire import SampleKind
from presparse_hw.item import ItemLayout
from presparse_hw.pipeline import delay
from presparse_hw.queue import Queue
from presparse_hw.signature import ResultLayout


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
        came = delay(m, self.valid, 1, name="came", reset=True)
        levels = tree_levels(group)
        valid = delay(m, came, levels, name="valid", reset=True)
        item = delay(m, self.item, 1 + levels, name="item")
        score, column = self._best_of_step(m, came)

        # One register between counting and comparing.
        step = Signal(range(steps))
        base = Signal(range(self._junction.right))
        compare = Signal()
        last = Signal()
        wins = Signal()
        competes = Signal()
        challenger = Signal.like(score, reset_less=True)
        index = Signal(range(self._junction.right))
        counted = Signal()
        label = Signal.like(item.label)
        labelled = (item.kind == SampleKind.TRAIN) | (item.kind == SampleKind.EVALUATE)
        real = base + column < self._build.network.classes
        m.d.sync += [
            compare.eq(valid),
            last.eq(step == steps - 1),
            wins.eq(valid & real & (step == 0)),  # whatever its score
            competes.eq(valid & real),
            challenger.eq(score),
            index.eq(base + column),
            counted.eq(labelled),
        ]
        with m.If(valid):
            m.d.sync += [step.eq(step + 1), base.eq(base + group), label.eq(item.label)]
            with m.If(step == steps - 1):
                m.d.sync += [step.eq(0), base.eq(0)]

        best = Signal.like(score, reset_less=True)
        winner = Signal(range(self._junction.right))
        ended = Signal()
        wanted = Signal.like(label)
        # The challenger is compared a cycle ahead, with the best score and with the challenger before it, which may
        # become the best one in that cycle.
        beats_best = Signal()
        beats_last = Signal()
        replaces = Signal()
        replaced = Signal()
        m.d.comb += replaces.eq(wins | (competes & Mux(replaced, beats_last, beats_best)))
        m.d.sync += [beats_best.eq(score > best), beats_last.eq(score > challenger), replaced.eq(replaces)]
        with m.If(replaces):
            m.d.sync += [best.eq(challenger), winner.eq(index)]
        m.d.sync += [ended.eq(compare & last & counted), wanted.eq(label)]
        m.d.comb += self.correct.eq(ended & (winner == wanted))
        return m

    def _best_of_step(self, m: Module, came: Signal) -> tuple[Value, Value]:
        """The largest score of a step and its column, 1 + `tree_levels(group)` cycles later.

        Within the step that holds the last class, columns of padding outputs must lose.
        """
        classes, group = self._build.network.classes, self._junction.group
        base = Signal(range(self._junction.right), name="first_of_step")
        with m.If(came):
            m.d.sync += base.eq(Mux(base == self._junction.right - group, 0, base + group))
        entries: list[tuple[Value, Value, Value]] = []
        for i, value in enumerate(self.values):
            entries.append((base + i < classes, delay(m, value, 1, name=f"score{i}"), Const(i, range(group))))
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
                    Signal(self.values[0].shape(), name=f"score_{depth}_{i}", reset_less=True),
                    Signal(range(group), name=f"column_{depth}_{i}"),
                )
                m.d.sync += [register.eq(value) for register, value in zip(new, (ok, score, column), strict=True)]
                merged.append(new)
            entries = merged
        return entries[0][1], entries[0][2]
