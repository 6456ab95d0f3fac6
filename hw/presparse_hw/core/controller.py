"""Issues blocks: one per sample, or empty ones that drain the pipeline, never closer than the schedule's period."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.core.item import ItemLayout
from presparse_hw.core.junction_ports import SlotLayout


class Controller(wiring.Component):
    """Decides when the next block starts, and remembers the items of the blocks in flight.

    A block starts when a sample is pending, or while a flush drains the pipeline. Nothing else moves the
    pipeline, so what it computes depends on the order of items alone, not on when they come.

    It decides a cycle ahead, on what will be there then: that a block starts and that an item is taken come out of
    registers, on their long ways to junctions, loader and link.

    Members
    -------
    arriving : In(stream)  whole samples and flushes; one is pending until it is taken, and then `ready` is high
    block : Out(1)       a block starts: `items` and `left_slot` are its own from this cycle on
    items : Out.array    items[b] is the item of the block b before the newest
    left_slot : Out(SlotLayout)   of junction 1, that the next sample is written to
    reserve : Out(1)     a prediction is taken, whose result will need room
    result_room : In(1)  the results of one more prediction can be held; knows of `reserve` a cycle later
    hold : In(1)         start nothing in the next cycle
    drained : Out(1)     every item taken has left the pipeline, and none is pending
    waiting_for_sample, waiting_for_room : Out(1)  a block could start in this cycle but for this
    """

    arriving: stream.Interface
    block: Signal
    items: Sequence[data.View]
    left_slot: data.View
    reserve: Signal
    result_room: Signal
    hold: Signal
    drained: Signal
    waiting_for_sample: Signal
    waiting_for_room: Signal

    def __init__(self, build: Build) -> None:
        self._schedule = build.schedule
        self._slots = SlotLayout(build, 0)
        item = ItemLayout(build)
        super().__init__(
            {
                "arriving": In(stream.Signature(item)),
                "block": Out(1),
                "items": Out(item).array(build.schedule.depth + 1),
                "left_slot": Out(self._slots),
                "reserve": Out(1),
                "result_room": In(1),
                "hold": In(1),
                "drained": Out(1),
                "waiting_for_sample": Out(1),
                "waiting_for_room": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth, period = self._schedule.depth, self._schedule.period
        pending = Signal()
        item = Signal.like(self.arriving.payload)  # the pending one
        take = Signal()
        start = Signal()
        wait = Signal(range(period))  # cycles before the one that may decide on the next block
        due = Signal(init=1)  # there are none
        settle = Signal(range(self._schedule.settle + 1))
        empties = Signal(range(depth + 1))  # left of a flush
        flushing = Signal()  # there are some
        final = Signal()  # there is one
        behind = Signal(range(depth + 1))  # blocks until the newest sample is through

        # The next cycle: what will be pending, and whether a block may start.
        stays = pending & ~take
        comes = Signal()
        kind = Signal.like(item.kind)
        ready = Signal()
        flush = Signal()
        sample = Signal()
        room = Signal()
        starts = Signal()
        m.d.comb += [
            self.arriving.ready.eq(~stays),
            comes.eq(stays | self.arriving.valid),
            kind.eq(Mux(stays, item.kind, self.arriving.payload.kind)),
            ready.eq(due & ~start & ~self.hold),
            flush.eq(comes & (kind == SampleKind.FLUSH)),
            sample.eq(comes & (kind != SampleKind.FLUSH)),
            room.eq(self.result_room | (kind != SampleKind.PREDICT)),
            starts.eq(ready & ((sample & room) | flushing)),
        ]
        m.d.sync += [
            self.waiting_for_sample.eq(ready & ~comes & (behind != 0)),
            self.waiting_for_room.eq(ready & sample & ~room),
            pending.eq(comes),
            start.eq(starts),
            take.eq((starts & (final | ~flushing)) | (flush & (depth == 0))),
        ]
        with m.If(~stays):
            m.d.sync += item.eq(self.arriving.payload)
        with m.If(flush & ~flushing):
            m.d.sync += [empties.eq(depth), flushing.eq(depth != 0), final.eq(depth == 1)]

        # This cycle.
        m.d.comb += [
            self.drained.eq(~pending & (behind == 0) & (settle == 0)),
            self.reserve.eq(take & (item.kind == SampleKind.PREDICT)),
        ]
        with m.If(~due):
            m.d.sync += [wait.eq(wait - 1), due.eq(wait == 1)]
        with m.If(settle != 0):
            m.d.sync += settle.eq(settle - 1)
        m.d.sync += self.block.eq(start)
        with m.If(start):
            m.d.sync += [
                wait.eq(period - 2),
                due.eq(period == 2),
                settle.eq(self._schedule.settle),
                self.items[0].eq(Mux(flushing, 0, item)),
            ]
            m.d.sync += [older.eq(newer) for newer, older in zip(self.items, self.items[1:], strict=False)]
            self._slots.move_on(m, self.left_slot)
            with m.If(~flushing):
                m.d.sync += behind.eq(depth)
            with m.Elif(behind != 0):
                m.d.sync += behind.eq(behind - 1)
            with m.If(flushing):
                m.d.sync += [empties.eq(empties - 1), flushing.eq(~final), final.eq(empties == 2)]
        return m
