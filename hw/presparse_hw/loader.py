"""Samples in: transfers of features become writes to junction 1's banks, and one pending item per sample."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.item import ItemLayout
from presparse_hw.signature import SampleLayout


class SampleLoader(wiring.Component):
    """Takes a sample ahead: it writes the next one while blocks run, and announces it when it is whole.

    One transfer is held; it is written in one cycle, or in feature_port / lanes cycles if it is wider than
    the banks. Nothing is written while an item is pending, except in the cycle in which it is taken.

    Members
    -------
    samples : In(stream)
    left_write, left_values : Out   to junction 1, one cycle after they are chosen
    left_restart : Out(1)   forget the half-written sample
    pending : Out(1), item : Out  a whole sample or a flush waits
    take : In(1)            it is taken in this cycle
    discard : In(1)         forget the half-received sample
    idle : Out(1)           nothing is held, half-written or pending
    """

    samples: stream.Interface
    left_write: Signal
    left_values: Sequence[Signal]
    left_restart: Signal
    pending: Signal
    item: data.View
    take: Signal
    discard: Signal
    idle: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self.left_values_at_once = at_once = min(build.feature_port, build.lanes[0])
        super().__init__(
            {
                "samples": In(stream.Signature(SampleLayout(build))),
                "left_write": Out(1),
                "left_values": Out(signed(build.network.formats.activation.width)).array(at_once),
                "left_restart": Out(1),
                "pending": Out(1),
                "item": Out(ItemLayout(build)),
                "take": In(1),
                "discard": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        build, at_once = self._build, self.left_values_at_once
        parts, transfers = build.feature_port // at_once, build.network.layers[0] // build.feature_port
        held = Signal(SampleLayout(build), reset_less=True)
        holding = Signal()
        part = Signal(range(parts))
        transfer = Signal(range(transfers))
        begins = Signal(init=1)  # `transfer` is an item's first
        ends = Signal(init=transfers == 1)  # its last
        header = Signal(ItemLayout(build))

        flush = begins & (held.kind == SampleKind.FLUSH)
        free = ~self.pending | self.take
        write = Signal()
        done = Signal()  # the held transfer is used up in this cycle
        last = Signal()  # and completes an item
        incoming = Signal(ItemLayout(build))
        m.d.comb += [
            write.eq(holding & free & ~flush),
            done.eq(holding & free & (flush | (part == parts - 1))),
            last.eq(done & (flush | ends)),
            self.samples.ready.eq((~holding | done) & ~self.discard),
            incoming.kind.eq(held.kind),
            incoming.shift.eq(build.network.rates.most - held.rate),
            incoming.label.eq(held.label),
            self.idle.eq(~holding & begins & ~self.left_write & ~self.pending),
        ]
        with m.If(self.samples.valid & self.samples.ready):
            m.d.sync += [held.eq(self.samples.payload), holding.eq(1)]
        with m.Elif(done):
            m.d.sync += holding.eq(0)

        m.d.sync += self.left_write.eq(write)
        with m.If(write):
            m.d.sync += part.eq(part + 1)
            with m.If(begins & (part == 0)):
                m.d.sync += header.eq(incoming)
        for i, value in enumerate(self.left_values):
            choices = [held.features[p * at_once + i] for p in range(parts)]
            with m.Switch(part):
                for p, choice in enumerate(choices):
                    with m.Case(p):
                        m.d.sync += value.eq(choice)
        with m.If(done & ~flush):
            m.d.sync += [part.eq(0), transfer.eq(transfer + 1), begins.eq(0), ends.eq(transfer == transfers - 2)]
        with m.If(last):
            m.d.sync += [transfer.eq(0), begins.eq(1), ends.eq(transfers == 1)]

        with m.If(last):
            m.d.sync += [self.pending.eq(1), self.item.eq(Mux(begins & (part == 0), incoming, header))]
        with m.Elif(self.take):
            m.d.sync += self.pending.eq(0)

        whole = holding & (flush | ends)  # the held transfer completes its item
        m.d.comb += self.left_restart.eq(self.discard & ~whole)
        with m.If(self.left_restart):
            m.d.sync += [holding.eq(0), part.eq(0), self.left_write.eq(0)]
            m.d.sync += [transfer.eq(0), begins.eq(1), ends.eq(transfers == 1)]
        return m
