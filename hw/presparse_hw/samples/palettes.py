"""From codes to features, through palettes that the host writes."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse_hw.lib.banks import BANK_LATENCY, Banks
from presparse_hw.lib.delays import LOCAL, later
from presparse_hw.lib.skid import Skid
from presparse_hw.samples.ports import CodesLayout, ColorLayout, FedLayout, format_of

FOUND_LATENCY = BANK_LATENCY + 2
"""Cycles from the host's color to its value."""


class Palettes(wiring.Component):
    """Looks up a transfer per cycle, `FOUND_LATENCY` cycles later, in memories per column of the port. Features of
    padding, and those behind the last one, are 0. Reset drops what is under way; palettes stay.

    Members
    -------
    transfers : In(stream)
    samples : Out(stream)
    by_host : In(1)    from the next cycle on the host's color is read; only while no transfer is under way
    color : In         the host's, of one column; stable while it is read
    write : In(1)      the color becomes `value`
    value : In         of the activation format
    found : Out        the color's value, `FOUND_LATENCY` cycles later
    """

    transfers: stream.Interface
    samples: stream.Interface
    by_host: Signal
    color: data.View
    write: Signal
    value: Signal
    found: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._format = fmt = format_of(build)
        super().__init__(
            {
                "transfers": In(stream.Signature(CodesLayout(fmt))),
                "samples": Out(stream.Signature(FedLayout(build))),
                "by_host": In(1),
                "color": In(ColorLayout(fmt)),
                "write": In(1),
                "value": In(fmt.value_bits),
                "found": Out(fmt.value_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self._format
        m.submodules.skid = skid = Skid(FedLayout(self._build), copies=fmt.port)
        wiring.connect(m, skid.o, wiring.flipped(self.samples))
        move, incoming, fed = skid.i.ready, self.transfers.payload, skid.i.payload
        place = later(m, incoming.place, BANK_LATENCY, move, name="place")
        zero = Signal(fmt.port, reset_less=True)  # a register for each column: it reaches all bits of its value
        head = Signal.like(place.head, reset_less=True)
        final = Signal(reset_less=True)
        with m.If(move):
            m.d.sync += [head.eq(place.head), final.eq(place.final)]
        m.d.comb += [
            self.transfers.ready.eq(move),
            skid.i.valid.eq(later(m, self.transfers.valid, BANK_LATENCY + 1, move, name="valid", reset=True)),
            fed.final.eq(final),
            fed.sample.kind.eq(head.kind),
            fed.sample.rate.eq(head.rate),
            fed.sample.label.eq(head.label),
            # The skid lets through what is not valid, too, and all columns but the host's are 0.
            self.found.eq(reduce(or_, (value.as_unsigned() for value in self.samples.payload.sample.features))),
        ]
        shared = fmt.palettes == "shared"
        in_tail = fmt.features - (fmt.transfers - 1) * fmt.port
        for column, code in enumerate(incoming.codes):
            m.submodules[f"palettes{column}"] = palettes = Banks([fmt.value_bits], fmt.palette_depth)
            asked = code if shared else Cat(code, incoming.place.transfer)
            named = self.color.code if shared else Cat(self.color.code, self.color.transfer)
            here = self.color.column == column
            # Columns are far apart: each has registers of its own.
            moves = skid.free[column]
            by_host = Signal(name=f"by_host{column}", reset_less=True, attrs={LOCAL: 1})
            held = Signal(len(asked), name=f"asked{column}", reset_less=True, attrs={LOCAL: 1})
            m.d.sync += by_host.eq(self.by_host)
            with m.If(moves):
                m.d.sync += held.eq(Mux(by_host, named, asked))
            m.d.comb += [
                palettes.move.eq(moves),
                palettes.address.eq(held),
                palettes.write_address.eq(named),
                palettes.write_data.eq(self.value),
                palettes.write.eq(self.write & (shared | here)),
                fed.sample.features[column].eq(Mux(zero[column], 0, palettes.data)),
            ]
            behind = place.padding | (place.tail & (column >= in_tail))
            with m.If(moves):
                m.d.sync += zero[column].eq(Mux(by_host, ~here, behind))
        return m
