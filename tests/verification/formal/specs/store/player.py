"""The player: what is read of the store is the run's, and the run ends."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Module, Signal

from presparse.contract.permutation import ROUNDS
from presparse.contract.sample_words import SampleFormat
from presparse.contract.store import LEAST_SLOT, StoreLayout
from presparse_hw.lib.delays import delay
from presparse_hw.store.player import Player
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import anything
from tests.verification.formal.streams import keeps_contract, transfers

_FORMAT = SampleFormat(bits=4, value_bits=10, palettes="shared", features=16, left=16, port=4, classes=5)
_STATES = ("Idle", "Walk", "Forget", "Let-Come", "Flush", "Let-Drain")
_STORE = StoreLayout(memory="block", words=64, format=_FORMAT)


class ReadsAreTheRuns(Elaboratable):
    """Whatever the memory, the decoder and the core do, and whenever the run is stopped: an address is asked for only
    during a run, at the beginning of one of its slots, and no more than `count` times; none after a bad sample. The
    flush comes behind all of them, once, and the run is over when the core is drained behind it."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut = Player(_STORE)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        run, running = dut.run, dut.running
        began = Signal()  # there was a run
        before = delay(m, run.as_value(), 1, name="run_before")
        behind, room = Signal(33), Signal(range(_STORE.words + 1))
        m.d.comb += [behind.eq(run.first + run.count), room.eq(_STORE.words >> run.slot)]
        with m.If(dut.start):
            m.d.sync += began.eq(1)
        m.d.comb += [
            # What the link sees to (`RunStarter`), and the signature says.
            Assume(~dut.start | ~running),
            Assume(~began | dut.start | (run.as_value() == before)),
            Assume((run.count != 0) & (run.slot >= LEAST_SLOT) & (run.slot <= _STORE.largest_slot)),
            Assume(behind <= room),
            Assume(~dut.flushed | dut.flush),
        ]
        asked = Signal(range(_STORE.words))  # of this run
        flushed, bad = Signal(), Signal()
        with m.If(dut.start):
            m.d.sync += [asked.eq(0), flushed.eq(0), bad.eq(0)]
        with m.Else():
            m.d.sync += [asked.eq(asked + transfers(dut.addresses)), flushed.eq(flushed | dut.flushed)]
            with m.If(inside["walking"] & dut.bad):
                m.d.sync += bad.eq(1)
        address, first, number = dut.addresses.payload, Signal(33), Signal(33)
        m.d.comb += [first.eq(run.first << run.slot), number.eq((address >> run.slot) - run.first)]
        with m.If(dut.addresses.valid):
            m.d.comb += [
                Assert(running, "an address outside of a run"),
                Assert((number << run.slot) + first == address, "an address within a slot"),
                Assert(number < run.count, "an address beyond the run's samples"),
                Assert(asked < run.count, "more addresses than samples"),
                Assert(~flushed & ~dut.flush, "an address behind the flush"),
                Assert(~bad | dut.forget, "an address behind a bad sample"),
            ]
        m.d.comb += [
            Assert(keeps_contract(m, dut.addresses, name="addresses", unless=dut.forget), "an address stays"),
            Assert(~(dut.flush | dut.forget | dut.discard) | running, "something is done without a run"),
            Assert(~dut.flush | ~flushed, "a second flush"),
        ]
        ended = delay(m, running, 1, name="running_before", reset=True) & ~running
        drained = delay(m, dut.drained, 1, name="drained_before")
        m.d.comb += Assert(~ended | (flushed & drained), "a run ends before it is drained behind its flush")

        # For induction: where the run is, what the sequence holds, and how far it is.
        state, walked = inside["fsm_state"], inside["walked"]
        waits, index = inside["sequence.indices__valid"], inside["sequence.indices__payload"]
        most, settled, number_next = (inside[f"sequence.{name}"] for name in ("most", "settled", "number"))
        rounds = [inside[f"sequence.valid{i}"] for i in range(len(ROUNDS))]
        bits = len(most)
        taken = Signal(range(_STORE.words))  # of the sequence
        with m.If(dut.start):
            m.d.sync += taken.eq(0)
        with m.Elif(inside["walking"] & waits & (~dut.addresses.valid | dut.addresses.ready)):
            m.d.sync += taken.eq(taken + 1)
        m.d.comb += [
            Assert(state <= _STATES.index("Let-Drain")),
            Assert(running == (state != _STATES.index("Idle"))),
            Assert(~running | began),
            Assert(~dut.addresses.valid | (state == _STATES.index("Walk")) | (state == _STATES.index("Forget"))),
            Assert(~flushed | (state == _STATES.index("Let-Drain")) | ~running),
            Assert((state != _STATES.index("Let-Drain")) | flushed),
            Assert(~bad | (state != _STATES.index("Walk"))),
        ]
        with m.If(state == _STATES.index("Walk")):
            m.d.comb += Assert(taken == asked + dut.addresses.valid, "what the sequence gave is asked for")
        with m.If(running):
            m.d.comb += [
                Assert(taken <= run.count),
                Assert(walked == (taken == run.count)),
                Assert(asked <= taken),
                Assert(~settled[0] | (most == run.count - 1)),
                Assert(settled[0] | ~settled[1]),
                Assert(settled.all() | ~Cat(rounds, inside["sequence.candidate_valid"], inside["sequence.good"]).any()),
                Assert(settled.all() | ~waits),
                Assert(~inside["sequence.good"] | (number_next <= most)),
                Assert(~waits | ((index[:bits] - run.first)[:bits] <= most)),
                Assert(inside["sequence.emitted"] == (taken + waits)[:bits]),
                Assert(~waits | walked | (index[-1] == (taken == run.count - 1))),
            ]
        m.d.comb += [
            Cover(ended & (asked == 3) & run.permuted & ~bad, "a run of three samples"),
            Cover(ended & bad & (asked == 2), "one that a bad sample ends"),
            Cover(ended & ~bad & (asked == 1) & (run.count == 3), "one that is stopped"),
        ]
        return m


PROOFS = [
    Proof(
        name="player/reads",
        claim="a run reads slots of its own samples alone, at most as many as it has, and flushes once behind them",
        spec=ReadsAreTheRuns,
        depth=4,
        cover_depth=30,
    )
]
