"""The controller: one block per sample, never too soon, and drained means drained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import data

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.wire import SampleKind
from presparse_hw.core.controller import Controller
from presparse_hw.core.item import ItemLayout
from presparse_hw.core.junction_ports import SlotLayout
from presparse_hw.lib.delays import delay
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import anything


class BlocksInOrder(Elaboratable):
    """Whenever items come, and whatever holds them up:

    - two blocks start at least a period apart;
    - every sample taken gets the next block, with its own item; every other block is empty;
    - a flush is taken with the last of as many empty blocks as a sample may be in flight;
    - nothing starts while held, no prediction without room for its result;
    - drained only when the last sample's blocks are through and what they began has landed;
    - the slot that the next sample is written to counts the blocks.
    """

    def __init__(self, build: Build) -> None:
        self._build = build

    def elaborate(self, platform: object) -> Module:
        m = Module()
        build = self._build
        period, depth, settle = build.schedule.period, build.schedule.depth, build.schedule.settle
        slots = SlotLayout(build, 0)
        dut = Controller(build)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        # The loader offers an item until it is let in. A result's room is known a cycle after it is reserved.
        arriving, room = dut.arriving, Signal()
        offered = delay(m, arriving.valid & ~arriving.ready, 1, name="offered", reset=True)
        payload = Value.cast(arriving.payload)
        m.d.comb += [
            Assume(~offered | (arriving.valid & (payload == delay(m, payload, 1, name="payload_before")))),
            room.eq(delay(m, dut.result_room, 1, name="room")),
        ]
        pending, take, item = Signal(), Signal(), Signal.like(payload)
        m.d.comb += take.eq(inside["take"])
        with m.If(arriving.valid & arriving.ready):
            m.d.sync += [pending.eq(1), item.eq(payload)]
        with m.Elif(take):
            m.d.sync += pending.eq(0)
        kind = data.View(ItemLayout(build), item).kind
        held = delay(m, dut.hold, 1, name="held")

        since = Signal(range(max(period, settle) + 2), init=max(period, settle) + 1)  # cycles since the last start
        flush = kind == SampleKind.FLUSH
        starts = Signal()  # `block` is a cycle late
        m.d.comb += starts.eq(inside["start"])
        with m.If(starts):
            m.d.sync += since.eq(1)
        with m.Elif(since <= max(period, settle)):
            m.d.sync += since.eq(since + 1)
        m.d.comb += [
            Assert(dut.block == delay(m, starts, 1, name="starts", reset=True), "a block is announced when it starts"),
            Assert(~starts | (since >= period), "two blocks start too close"),
            Assert(~starts | ~held, "a block starts while held"),
            Assert(~take | pending, "something is taken that is not there"),
            Assert(arriving.ready == (~pending | take), "an item is let in when none is pending"),
            Assert(~(take & ~flush) | starts, "a sample is taken without a block"),
            Assert(~(starts & pending & ~flush) | take, "a sample's block starts, and it stays"),
            Assert(~(take & (kind == SampleKind.PREDICT)) | room, "no room for the result"),
            Assert(dut.reserve == (take & (kind == SampleKind.PREDICT)), "room is reserved for every prediction"),
        ]
        expected = delay(m, Mux(take & ~flush, item, 0), 1, name="expected")
        m.d.comb += Assert(~dut.block | (Value.cast(dut.items[0]) == expected), "a block has another's item")
        for age in range(1, depth + 1):
            older = delay(m, Value.cast(dut.items[age - 1]), 1, name=f"older{age}")
            m.d.comb += Assert(~dut.block | (Value.cast(dut.items[age]) == older), "the items of older blocks")

        # A flush: `depth` empty blocks from when it is seen to when it is taken.
        emptied = Signal(range(depth + 2))
        with m.If(take):
            m.d.sync += emptied.eq(0)
        with m.Elif(starts):
            m.d.sync += emptied.eq(emptied + 1)
        m.d.comb += [
            Assert(~(starts & ~(pending & ~flush)) | (pending & flush), "an empty block without a flush"),
            Assert(~(take & flush) | (emptied + starts == depth), "a flush has its empty blocks"),
        ]

        # Drained.
        behind = Signal(range(depth + 1))  # blocks until the newest sample is through
        with m.If(starts):
            m.d.sync += behind.eq(Mux(take & ~flush, depth, Mux(behind == 0, 0, behind - 1)))
        with m.If(dut.drained):
            m.d.comb += Assert(~pending & (behind == 0) & (since > settle), "drained too soon")
        m.d.comb += Assert(dut.drained | pending | (behind != 0) | (since <= settle), "drained too late")

        for purpose, count in slots.slots.items():
            slot = Signal(range(count), name=f"{purpose}_slot")
            with m.If(starts):
                m.d.sync += slot.eq(Mux(slot == count - 1, 0, slot + 1))
            m.d.comb += [
                Assert(dut.left_slot[purpose] == slot, "the slot of the next sample"),
                Assert(slot < count),  # for induction
            ]

        # For induction.
        wait, due, empties = inside["wait"], inside["due"], inside["empties"]
        flushing, final = inside["flushing"], inside["final"]
        m.d.comb += [
            Assert(due | starts | (since < period - 1)),  # `due` is of the next cycle's start
            Assert(~due | starts | (since >= period - 1)),
            Assert(due | (wait == period - 1 - since)),
            Assert(~starts | due),
            Assert(inside["pending"] == pending),
            Assert(~pending | (Value.cast(inside["item"]) == item)),
            Assert(inside["settle"] == Mux(since > settle, 0, settle + 1 - since)),
            Assert(inside["behind"] == behind),
            Assert(flushing == (empties != 0)),
            Assert(final == (empties == 1)),
            Assert((empties == 0) | (pending & flush & (empties == depth - emptied))),
            Assert((empties != 0) | (emptied == 0)),
            Assert(since >= 1),
        ]
        m.d.comb += [
            Cover(starts & (since == period), "blocks at full speed"),
            Cover(starts & (since > period) & (behind != 0), "a stall"),
            Cover(take & flush & (behind == 1), "a flush behind a sample"),
            Cover(dut.drained & (since == settle + 1), "drained again"),
        ]
        return m


def _proof(name: str, build: Callable[[], Build]) -> Proof:
    schedule = build().schedule
    return Proof(
        name=f"controller/blocks-{name}",
        claim=f"one block per sample, at least {schedule.period} cycles apart; drained when all has landed",
        spec=lambda: BlocksInOrder(build()),
        depth=2,
        cover_depth=schedule.period * schedule.depth + schedule.settle + 8,
    )


def small_build(*, mode: Literal["train", "infer"] = "train") -> Build:
    """12 cycles per sample with no cycle idle, the fewest that UP allows, so most blocks are in flight at once."""
    network = Network(
        name="proof",
        features=8,
        classes=16,
        layers=(8, 6, 16),
        out_degree=(3, 8),
        lanes=(2, 6),
        activations=("relu", "sigmoid"),
    )
    return Build(network=network, mode=mode, result_capacity=16, feature_port=2)


PROOFS = [_proof("train", small_build), _proof("infer", lambda: small_build(mode="infer"))]
