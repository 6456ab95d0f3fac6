"""Starts blocks: one per sample, or empty ones to drain, never closer than the schedule's period."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.item import ItemLayout
from presparse_hw.pipeline import count_modulo


class Controller(wiring.Component):
    """Decides when the next block starts, and remembers the items of the blocks in flight.

    A block starts when a sample is pending, or while a flush drains the pipeline. Nothing else moves the
    pipeline, so what it computes depends on the order of items alone, not on when they come.

    Members
    -------
    pending : In(1), item : In, take : Out(1)  from the loader
    block : Out(1)       a block starts: `items` and `left_slot` are its own from this cycle on
    items : Out.array    items[b] is the item of the block b before the newest
    left_slot : Out      slot of junction 1 that the next sample is written to
    result_room : In(1)  the results of one more prediction can be held
    hold : In(1)         start nothing now
    drained : Out(1)     every item taken has left the pipeline, and none is pending
    waiting_for_sample, waiting_for_room : Out(1)  a block could start but for this
    """

    pending: Signal
    item: data.View
    take: Signal
    block: Signal
    items: Sequence[data.View]
    left_slot: Signal
    result_room: Signal
    hold: Signal
    drained: Signal
    waiting_for_sample: Signal
    waiting_for_room: Signal

    def __init__(self, build: Build) -> None:
        self._schedule = build.schedule
        self._slots = build.schedule.junctions[0].activation_slots
        item = ItemLayout(build)
        super().__init__(
            {
                "pending": In(1),
                "item": In(item),
                "take": Out(1),
                "block": Out(1),
                "items": Out(item).array(build.schedule.depth + 1),
                "left_slot": Out(range(self._slots)),
                "result_room": In(1),
                "hold": In(1),
                "drained": Out(1),
                "waiting_for_sample": Out(1),
                "waiting_for_room": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self._schedule.depth
        wait = Signal(range(self._schedule.period))  # cycles before the next block may start
        due = Signal(init=1)  # there are none
        settle = Signal(range(self._schedule.settle + 1))
        empties = Signal(range(depth + 1))  # left of a flush
        flushing = Signal()  # there are some
        final = Signal()  # there is one
        behind = Signal(range(depth + 1))  # blocks until the newest sample is through

        ready = Signal()
        flush = Signal()
        sample = Signal()
        room = Signal()
        start = Signal()
        m.d.comb += [
            ready.eq(due & ~self.hold),
            flush.eq(self.pending & (self.item.kind == SampleKind.FLUSH)),
            sample.eq(self.pending & (self.item.kind != SampleKind.FLUSH)),
            room.eq(self.result_room | (self.item.kind != SampleKind.PREDICT)),
            start.eq(ready & ((sample & room) | flushing)),
            self.take.eq((start & sample) | (flush & ((final & ready) | (depth == 0)))),
            self.waiting_for_sample.eq(ready & ~self.pending & (behind != 0)),
            self.waiting_for_room.eq(ready & sample & ~room),
            self.drained.eq(~self.pending & (behind == 0) & (settle == 0)),
        ]
        with m.If(flush & ~flushing):
            m.d.sync += [empties.eq(depth), flushing.eq(depth != 0), final.eq(depth == 1)]
        with m.If(~due):
            m.d.sync += [wait.eq(wait - 1), due.eq(wait == 1)]
        with m.If(settle != 0):
            m.d.sync += settle.eq(settle - 1)

        m.d.sync += self.block.eq(start)
        with m.If(start):
            m.d.sync += [
                wait.eq(self._schedule.period - 1),
                due.eq(0),
                settle.eq(self._schedule.settle),
                self.items[0].eq(Mux(sample, self.item, 0)),
            ]
            m.d.sync += [older.eq(newer) for newer, older in zip(self.items, self.items[1:], strict=False)]
            count_modulo(m, self.left_slot, self._slots)
            with m.If(sample):
                m.d.sync += behind.eq(depth)
            with m.Elif(behind != 0):
                m.d.sync += behind.eq(behind - 1)
            with m.If(flushing):
                m.d.sync += [empties.eq(empties - 1), flushing.eq(~final), final.eq(empties == 2)]
        return m
