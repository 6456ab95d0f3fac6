"""The predicted class, argmax of the decision function: whether labeled samples were classified correctly."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.schedule import tree_levels
from presparse.contract.wire import SampleKind
from presparse_hw.core.junction_ports import RightValues
from presparse_hw.lib.delays import delay


class ArgMax(wiring.Component):
    """The class with the largest score, the first of equals; padding outputs do not count.

    Members
    -------
    right : In(RightValues)   a step's scores, of the output layer
    correct : Out(1)  a labeled sample was predicted correctly (a pulse, some cycles later)
    """

    right: wiring.PureInterface
    correct: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._junction = build.junctions[-1]
        super().__init__(
            {
                "right": In(RightValues(build, -1)),
                "correct": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        group, steps = self._junction.group, self._junction.steps
        came = delay(m, self.right.valid, 1, name="came", reset=True)
        levels = tree_levels(group)
        valid = delay(m, came, levels, name="valid", reset=True)
        item = delay(m, self.right.item, 1 + levels, name="item")
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
        labeled = (item.kind == SampleKind.TRAIN) | (item.kind == SampleKind.EVALUATE)
        real = base + column < self._build.network.classes
        m.d.sync += [
            compare.eq(valid),
            last.eq(step == steps - 1),
            wins.eq(valid & real & (step == 0)),  # whatever its score
            competes.eq(valid & real),
            challenger.eq(score),
            index.eq(base + column),
            counted.eq(labeled),
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
        for i, value in enumerate(self.right.values):
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
                    Signal(self.right.values[0].shape(), name=f"score_{depth}_{i}", reset_less=True),
                    Signal(range(group), name=f"column_{depth}_{i}"),
                )
                m.d.sync += [register.eq(value) for register, value in zip(new, (ok, score, column), strict=True)]
                merged.append(new)
            entries = merged
        return entries[0][1], entries[0][2]
