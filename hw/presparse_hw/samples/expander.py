"""Masks and blocks to transfers of codes: a cycle per block, and at least one per transfer."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.sample_words import WORD_BITS, SampleFormat
from presparse_hw.lib.sequencer import count_modulo
from presparse_hw.lib.skid import Skid
from presparse_hw.samples.ports import CodesLayout, MaskLayout, PlaceLayout, format_of


class Expander(wiring.Component):
    """Puts blocks into their places in a transfer, in four stages with registers of their own:

        masks ─> unit: the bits of one transfer ─> search: its next block ─> step: where that goes ─> codes

    A unit is what of a mask belongs to one transfer; of a transfer that has several masks, a whole mask. Transfers
    behind those that are stored take a unit without a mask.

    Members
    -------
    masks : In(stream), blocks : In(stream)
    transfers : Out(stream)   5 cycles after their last mask at the earliest, 2 after their last block
    """

    masks: stream.Interface
    blocks: stream.Interface
    transfers: stream.Interface

    def __init__(self, build: Build) -> None:
        self._format = fmt = format_of(build)
        self._unit_blocks = min(fmt.transfer_blocks, fmt.mask_blocks)
        super().__init__(
            {
                "masks": In(stream.Signature(MaskLayout(fmt))),
                "blocks": In(stream.Signature(WORD_BITS)),
                "transfers": Out(stream.Signature(CodesLayout(fmt))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        units = self._units(m)
        # Whether a transfer has room, and its block is here, reaches units and masks in another cycle.
        m.submodules.skid = skid = Skid(units.payload.shape())
        wiring.connect(m, units, skid.i)
        steps = self._steps(m, skid.o)
        self._gather(m, steps)
        return m

    def _units(self, m: Module) -> stream.Interface:
        """Unit after unit, and the transfer that each is of."""
        fmt, size = self._format, self._unit_blocks
        units = stream.Signature(UnitLayout(fmt, size)).create(path=("units",))
        unit, place = units.payload, units.payload.place
        per_mask, per_transfer = fmt.mask_blocks // size, fmt.transfer_blocks // size
        all_transfers = fmt.left // fmt.port
        transfer = Signal(range(all_transfers))
        part = Signal(range(per_transfer))  # unit of the transfer
        phase = Signal(range(per_mask))  # unit of the mask
        rest = Signal(fmt.mask_blocks, reset_less=True)  # units of the mask that are left

        padding = Signal()  # `transfer` is none of those that are stored
        fresh = Signal()  # the unit is of the next mask
        free = Signal()
        load = Signal()
        bits = Signal(size)
        m.d.comb += [
            fresh.eq(~padding & (phase == 0)),
            free.eq(~units.valid | units.ready),
            load.eq(free & (self.masks.valid | ~fresh)),
            self.masks.ready.eq(free & fresh),
            bits.eq(Mux(fresh, self.masks.payload.mask, rest) & (~padding).replicate(size)),
        ]
        with m.If(free):
            m.d.sync += units.valid.eq(load)
        with m.If(load):
            m.d.sync += [
                rest.eq(Mux(fresh, self.masks.payload.mask, rest) >> size),
                unit.bits.eq(bits),
                unit.several.eq(_set_bits(bits, 2)[-1]),
                unit.begins.eq(part == 0),
                unit.ends.eq(part == per_transfer - 1),
                unit.part.eq(part),
                place.transfer.eq(transfer),
                place.padding.eq(padding),
                place.tail.eq(transfer == fmt.transfers - 1),
                place.final.eq(transfer == all_transfers - 1),
            ]
            with m.If(fresh):
                m.d.sync += place.head.eq(self.masks.payload.head)
            count_modulo(m, part, per_transfer)
            with m.If(part == per_transfer - 1):
                count_modulo(m, transfer, all_transfers)
                with m.If(transfer == all_transfers - 1):
                    m.d.sync += padding.eq(0)
                with m.Elif(transfer == fmt.transfers - 1):
                    m.d.sync += padding.eq(1)
            with m.If(~padding):
                count_modulo(m, phase, per_mask)
                with m.If(transfer == fmt.transfers - 1):  # the mask may have units of no transfer
                    m.d.sync += phase.eq(0)
        return units

    def _steps(self, m: Module, units: stream.Interface) -> stream.Interface:
        """A step per block, at least one per unit."""
        fmt, size = self._format, self._unit_blocks
        unit = Signal(UnitLayout(fmt, size), reset_less=True)
        found = Signal()  # there is a unit
        steps = stream.Signature(StepLayout(fmt, size)).create(path=("steps",))
        ready = Signal()
        next_unit = Signal()
        m.d.comb += [
            ready.eq(~steps.valid | steps.ready),
            next_unit.eq(~found | (ready & ~unit.several)),
            units.ready.eq(next_unit),
        ]
        # No subtraction finds the lowest bit: a carry has a long way.
        first = Cat(bit & ~unit.bits[:i].any() for i, bit in enumerate(unit.bits))
        with m.If(next_unit):
            m.d.sync += [found.eq(units.valid), unit.eq(units.payload)]
        with m.Elif(ready):
            m.d.sync += [
                unit.bits.eq(unit.bits & ~first),
                unit.several.eq(_set_bits(unit.bits, 3)[-1]),
                unit.begins.eq(0),
            ]
        with m.If(ready):
            m.d.sync += [
                steps.valid.eq(found),
                steps.payload.block.eq(first),
                steps.payload.any.eq(unit.bits.any()),
                steps.payload.part.eq(unit.part),
                steps.payload.begins.eq(unit.begins),
                steps.payload.ends.eq(unit.ends & ~unit.several),
                steps.payload.place.eq(unit.place),
            ]
        return steps

    def _gather(self, m: Module, steps: stream.Interface) -> None:
        """The transfer in the making is the one that is offered."""
        fmt, size = self._format, self._unit_blocks
        step, block_bits = steps.payload, fmt.bits * fmt.block_features
        codes = Signal(fmt.port * fmt.bits, reset_less=True)
        place = Signal(PlaceLayout(fmt), reset_less=True)
        full = Signal()
        go = Signal()
        free = ~full | self.transfers.ready
        m.d.comb += [
            go.eq(steps.valid & free & (self.blocks.valid | ~step.any)),
            steps.ready.eq(go),
            self.blocks.ready.eq(go & step.any),
            self.transfers.valid.eq(full),
            self.transfers.payload.codes.eq(codes),
            self.transfers.payload.place.eq(place),
        ]
        with m.If(free):
            m.d.sync += full.eq(go & step.ends)
        with m.If(go):
            m.d.sync += place.eq(step.place)
        for number in range(fmt.transfer_blocks):
            own = codes.word_select(number, block_bits)
            here = step.block[number % size] & (step.part == number // size)
            with m.If(go & step.begins & ~here):
                m.d.sync += own.eq(0)
            with m.Elif(go & here):
                m.d.sync += own.eq(self.blocks.payload)


class UnitLayout(data.StructLayout):
    """`bits`: blocks that are there; there are `several`. `part`: unit of the transfer, which `begins` or `ends`."""

    def __init__(self, fmt: SampleFormat, size: int) -> None:
        part = range(fmt.transfer_blocks // size)
        super().__init__({"bits": size, "several": 1, "part": part, "begins": 1, "ends": 1, "place": PlaceLayout(fmt)})


class StepLayout(data.StructLayout):
    """`block`: the bit of the unit's block that comes, if `any` comes. The step `begins` or `ends` its transfer."""

    def __init__(self, fmt: SampleFormat, size: int) -> None:
        part = range(fmt.transfer_blocks // size)
        super().__init__({"block": size, "any": 1, "part": part, "begins": 1, "ends": 1, "place": PlaceLayout(fmt)})


def _set_bits(bits: Value, most: int) -> list[Value]:
    """Whether at least 1, 2, ... `most` bits are set; as a tree, without carries."""
    if len(bits) == 1:
        return [bits, *[Const(0, 1)] * (most - 1)]
    half = len(bits) // 2
    low, high = ([Const(1, 1), *_set_bits(part, most)] for part in (bits[:half], bits[half:]))
    return [reduce(or_, (low[i] & high[count - i] for i in range(count + 1))) for count in range(1, most + 1)]
