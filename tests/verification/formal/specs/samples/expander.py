"""The expander: each transfer once, in order, with exactly the blocks that its mask says."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import data

from presparse.contract.build import Build
from presparse_hw.samples.expander import Expander, StepLayout, UnitLayout
from presparse_hw.samples.ports import CodesLayout, MaskLayout, format_of
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.specs.samples.splitter import small_build
from tests.verification.formal.stimulus import any_bit, anything, chosen
from tests.verification.formal.streams import assert_contract, assume_contract, transfers


class TransfersAreWhole(Elaboratable):
    """Any transfer that the solver follows, from the cut of its mask to when it is taken, comes out once, behind those
    before it: with the block of each bit in its place, in order, and 0 in all other places, of which the solver chooses
    one; with its number, and the head of its mask, or, of padding, that of the mask before it. A mask is taken for
    every so many transfers, none for padding; a block for every bit.

    Of builds whose transfers have one mask.
    """

    def __init__(self, build: Build) -> None:
        self._build = build

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = format_of(self._build)
        size, all_transfers, per_mask = (
            fmt.transfer_blocks,
            fmt.left // fmt.port,
            fmt.mask_blocks // fmt.transfer_blocks,
        )
        dut = Expander(self._build)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        assume_contract(m, dut)
        assert_contract(m, dut)
        mask = data.View(MaskLayout(fmt), Value.cast(dut.masks.payload))
        unit_valid, unit = inside["units__valid"], data.View(UnitLayout(fmt, size), inside["units__payload"])
        passing, spared = inside["skid.o__valid"], inside["skid.full"]  # of the skid stage behind units
        first, second = (data.View(UnitLayout(fmt, size), inside[f"skid.{name}"]) for name in ("head", "spare"))
        found, search = inside["found"], data.View(UnitLayout(fmt, size), inside["unit"])
        step_valid, step = inside["steps__valid"], data.View(StepLayout(fmt, size), inside["steps__payload"])
        full, codes, go = inside["full"], inside["codes"], inside["go"]
        leaves = transfers(dut.transfers)

        # The next transfer, its mask and its bits.
        number, phase = Signal(range(all_transfers)), Signal(range(per_mask))
        newest, newest_head = Signal(fmt.mask_blocks), Signal.like(mask.head.as_value())
        padding = number >= fmt.transfers
        needs_mask = ~padding & (phase == 0)
        cut = inside["load"]
        own_mask, own_head = Mux(needs_mask, mask.mask, newest), Mux(needs_mask, mask.head.as_value(), newest_head)
        bits = Signal(size)
        m.d.comb += bits.eq(Mux(padding, 0, own_mask.word_select(phase, size)))
        with m.If(cut):
            m.d.sync += [newest.eq(own_mask), newest_head.eq(own_head)]
            m.d.sync += [number.eq(number + 1), phase.eq(Mux(phase == per_mask - 1, 0, phase + 1))]
            with m.If(number >= fmt.transfers - 1):
                m.d.sync += phase.eq(0)
            with m.If(number == all_transfers - 1):
                m.d.sync += number.eq(0)
        m.d.comb += [
            Assert(transfers(dut.masks) == (cut & needs_mask), "a mask for every so many transfers"),
            Assert(transfers(dut.blocks) == (go & step.any), "a block for every bit"),
            Assert(~cut | ~needs_mask | dut.masks.valid, "a mask is used that is not there"),
        ]

        # The followed one: where it is, what of it was done.
        follow = any_bit(m, name="follow")
        following, waits, searched, stepped, held = (
            Signal(name=name) for name in ("following", "waits", "searched", "stepped", "held")
        )
        own, to_go, block = Signal(size), Signal(size), Signal(size)  # its bits, those left, that of the step
        place = Signal.like(unit.place.as_value())
        ahead = Signal(range(8))
        lowest, to_go_after = to_go & ~(to_go - 1), to_go & (to_go - 1)
        last_step = Signal()
        watched = chosen(m, size, name="watched")  # one of its places
        m.d.comb += Assume((watched != 0) & (watched & (watched - 1) == 0))
        came, content = Signal(), Signal(16)  # the watched block
        begun = Signal()  # a step of it was gathered
        under_way = Signal(range(8))
        m.d.sync += under_way.eq(under_way + cut - leaves)
        with m.If(leaves & following):
            m.d.sync += ahead.eq(ahead - 1)
        expected = unit.place.shape()
        expected_place = Signal(expected)
        m.d.comb += [
            expected_place.transfer.eq(number),
            expected_place.padding.eq(padding),
            expected_place.tail.eq(number == fmt.transfers - 1),
            expected_place.final.eq(number == all_transfers - 1),
            expected_place.head.as_value().eq(own_head),
        ]
        with m.If(cut & follow & ~following):
            m.d.sync += [following.eq(1), waits.eq(1), own.eq(bits), place.eq(expected_place.as_value())]
            m.d.sync += [ahead.eq(under_way - leaves), came.eq(0), begun.eq(0)]
        # Of those that wait, the skid stage has the first, or its second place has, or it is still the newest unit.
        behind = found + (step_valid & step.ends) + full
        at_first, at_second = passing & (ahead == behind), spared & (ahead == behind + 1)
        with m.If(inside["next_unit"] & waits & at_first):
            m.d.sync += [waits.eq(0), searched.eq(1), to_go.eq(own)]
        with m.If(inside["ready"]):
            m.d.sync += stepped.eq(searched)
            with m.If(searched):
                m.d.sync += [block.eq(lowest), last_step.eq(to_go_after == 0), to_go.eq(to_go_after)]
                m.d.sync += searched.eq(to_go_after != 0)
        with m.If(go & stepped):
            m.d.sync += [begun.eq(1), held.eq(last_step)]
            with m.If((block & watched).any()):
                m.d.sync += [came.eq(1), content.eq(dut.blocks.payload)]
        with m.If(held & leaves):
            m.d.sync += [held.eq(0), following.eq(0)]

        width = fmt.bits * fmt.block_features
        found_code = Signal(width)
        for i in range(size):
            with m.If(watched[i]):
                m.d.comb += found_code.eq(codes.word_select(i, width))
        its_code = Mux(came, content[:width], 0)
        offered = data.View(CodesLayout(fmt), Value.cast(dut.transfers.payload))
        with m.If(held):
            m.d.comb += [
                Assert(dut.transfers.valid, "the followed transfer is lost"),
                Assert(ahead == 0, "out of order"),
                Assert(came == (own & watched).any(), "a block is missing"),
                Assert(found_code == its_code, "another block, or none"),
                Assert(offered.codes.as_value() == codes),
                Assert(offered.place.as_value() == place, "the place of another transfer"),
            ]

        # For induction.
        def several(value: Value) -> Value:
            return value & (value - 1) != 0

        ending = step_valid & step.ends
        gone = own & ~Mux(waits, own, Mux(searched, to_go, 0) | Mux(stepped, block, 0))
        m.d.comb += [
            Assert(inside["transfer"] == number),
            Assert(number < all_transfers),
            Assert(inside["padding"] == padding),
            Assert((phase < per_mask) & (phase == Mux(padding, 0, number % per_mask))),
            Assert(under_way == unit_valid + passing + spared + found + ending + full, "transfers under way"),
            Assert(following == (waits | searched | stepped | held)),
            Assert(~held | ~(waits | searched | stepped)),
            Assert(~waits | ~(searched | stepped)),
            Assert(~(searched & stepped) | ~last_step),
            Assert(~(stepped & ~searched) | last_step),
            Assert(~following | (came == (gone & watched).any())),
            Assert(~waits | ~begun),
            Assert(~stepped | ((block & own) == block) & (block == (block & ~(block - 1))[:size])),
            Assert(~searched | ((to_go & own) == to_go)),
            Assert(~(searched & stepped) | ((block != 0) & (to_go != 0) & (block < to_go) & ((block & to_go) == 0))),
            Assert(~(searched & begun) | (to_go != 0)),
            Assert(~(stepped & (begun | searched)) | (block != 0)),
            Assert(~following | held | (begun == (gone != 0))),
            Assert(~(begun & (searched | stepped)) | (~full & (found_code == its_code))),
            Assert(~(searched & ~stepped & ~begun) | (to_go == own)),
            Assert(~(searched & ~stepped & begun) | ~step_valid),
            Assert(~(stepped & ~begun) | ((Mux(searched, to_go, 0) | block) == own)),
            Assert(~spared | passing),
            *(
                Assert(~there | (each.begins & each.ends & (each.several == several(each.bits))))
                for there, each in ((unit_valid, unit), (passing, first), (spared, second))
            ),
            Assert(~found | search.ends),
        ]
        if per_mask > 1:
            m.d.comb += [
                Assert(inside["phase"] == phase),
                Assert((phase == 0) | (inside["rest"] == (newest >> phase * size)[: fmt.mask_blocks])),
            ]
        m.d.comb += Assert((number == 0) | (unit.place.head.as_value() == newest_head))
        with m.If(waits):
            m.d.comb += Assert(at_first | at_second | (unit_valid & (ahead == behind + passing + spared)))
            for here, each in ((at_first, first), (at_second, second), (~at_first & ~at_second, unit)):
                with m.If(here):
                    m.d.comb += Assert((each.bits == own) & (each.place.as_value() == place))
        with m.If(searched):
            m.d.comb += [
                Assert(found & (search.bits == to_go) & (search.several == several(to_go))),
                Assert(search.begins == ~(stepped | begun)),
                Assert(search.place.as_value() == place),
                Assert(ahead == ending + full),
            ]
        with m.If(stepped):
            m.d.comb += [
                Assert(step_valid & (step.block == block) & (step.any == (block != 0))),
                Assert((step.begins == ~begun) & (step.ends == last_step)),
                Assert(step.place.as_value() == place),
                Assert(ahead == full),
            ]
        m.d.comb += [
            Cover(held & leaves & (gone == 3) & came, "a transfer of two blocks"),
            Cover(held & leaves & data.View(expected, place).final & data.View(expected, place).padding, "padding"),
            Cover((under_way == 4) & held, "all stages are taken"),
        ]
        return m


PROOFS = [
    Proof(
        name=f"expander/transfers-{name}",
        claim="every transfer comes once, in order, with its blocks and no others, whatever stalls",
        spec=lambda geometry=geometry: TransfersAreWhole(small_build(**geometry)),
        depth=2,
        cover_depth=16,
    )
    for name, geometry in (
        ("many-in-a-mask", {"bits": 5, "features": 8, "left": 18, "port": 6}),
        ("one-in-a-mask", {"bits": 10, "features": 22, "left": 33, "port": 11}),
    )
]
