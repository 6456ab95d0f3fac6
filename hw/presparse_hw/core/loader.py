"""Samples in: transfers of features become writes to junction 1's banks, and one pending item per sample."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.core.item import ItemLayout
from presparse_hw.core.junction_ports import LeftValues
from presparse_hw.core.ports import SampleLayout


class SampleLoader(wiring.Component):
    """Takes a sample ahead: it writes the next one while blocks run, and hands its item on when it is whole.

    One transfer is held; it is written in one cycle, or in feature_port / lanes cycles if it is wider than
    the banks. Nothing is written while `items` is not ready.

    Members
    -------
    samples : In(stream)
    left : Out(LeftValues)  to junction 1, one cycle after they are chosen
    left_restart : Out(1)   forget the half-written sample
    items : Out(stream)     a sample in the cycle in which its last features are chosen, or a flush
    discard : In(1)         forget the half-received sample
    idle : Out(1)           nothing is held or half-written
    """

    samples: stream.Interface
    left: wiring.PureInterface
    left_restart: Signal
    items: stream.Interface
    discard: Signal
    idle: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._at_once = min(build.feature_port, build.lanes[0])
        super().__init__(
            {
                "samples": In(stream.Signature(SampleLayout(build))),
                "left": Out(LeftValues(build, self._at_once)),
                "left_restart": Out(1),
                "items": Out(stream.Signature(ItemLayout(build))),
                "discard": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        build, at_once = self._build, self._at_once
        parts, transfers = build.feature_port // at_once, build.network.layers[0] // build.feature_port
        features = Signal.like(self.samples.payload.features, reset_less=True)  # of the held transfer
        holding = Signal()
        item = Signal(ItemLayout(build), reset_less=True)  # the one that the held transfer belongs to
        part = Signal(range(parts))
        transfer = Signal(range(transfers))
        begins = Signal(init=1)  # `transfer` is an item's first
        ends = Signal(init=transfers == 1)  # its last

        flush = item.kind == SampleKind.FLUSH
        whole = flush | ends  # the held transfer completes its item
        used_up = flush | (part == parts - 1)  # and nothing is left of it behind this cycle
        write = Signal()
        done = Signal()
        last = Signal()
        incoming = self.samples.payload
        m.d.comb += [
            self.items.valid.eq(holding & whole & used_up),
            self.items.payload.eq(item),
            write.eq(holding & self.items.ready & ~flush),
            done.eq(holding & self.items.ready & used_up),
            last.eq(done & whole),
            self.samples.ready.eq((~holding | done) & ~self.discard),
            self.idle.eq(~holding & begins & ~self.left.write),
        ]
        with m.If(self.samples.valid & self.samples.ready):
            m.d.sync += holding.eq(1)
        with m.Elif(done):
            m.d.sync += holding.eq(0)
        with m.If(self.samples.ready):
            m.d.sync += features.eq(incoming.features)
            with m.If(Mux(holding, whole, begins)):
                m.d.sync += [
                    item.kind.eq(incoming.kind),
                    item.shift.eq(build.network.rates.most - incoming.rate),
                    item.label.eq(incoming.label),
                ]

        m.d.sync += self.left.write.eq(write)
        with m.If(write):
            m.d.sync += part.eq(part + 1)
        for i, value in enumerate(self.left.values):
            choices = [features[p * at_once + i] for p in range(parts)]
            with m.Switch(part):
                for p, choice in enumerate(choices):
                    with m.Case(p):
                        m.d.sync += value.eq(choice)
        with m.If(done & ~flush):
            m.d.sync += [part.eq(0), transfer.eq(transfer + 1), begins.eq(0), ends.eq(transfer == transfers - 2)]
        with m.If(last):
            m.d.sync += [transfer.eq(0), begins.eq(1), ends.eq(transfers == 1)]

        m.d.comb += self.left_restart.eq(self.discard & ~(holding & whole))
        with m.If(self.left_restart):
            m.d.sync += [holding.eq(0), part.eq(0), self.left.write.eq(0)]
            m.d.sync += [transfer.eq(0), begins.eq(1), ends.eq(transfers == 1)]
        return m
