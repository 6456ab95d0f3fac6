"""A junction's edges: read for FF, BP and UP, and written back by UP."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Module, Signal

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.schedule import SPREAD, UPDATE
from presparse.contract.wire import SampleKind
from presparse_hw.core.junction import ACCESS, Junction
from presparse_hw.lib.delays import ages, delay
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import anything


class UpdatesLandInTime(Elaboratable):
    """An edge's new weight is written before the edge is read again, never in the cycle of a read, and never meets a
    write of the host.

    What the controller promises is assumed: blocks start a period apart or more (specs/controller.py), and the host
    writes while nothing is in flight. Checked in the first lane, whose control all lanes of a group share, for an edge
    that the solver chooses; products, deltas and rows are anything.
    """

    def __init__(self, build: Build, index: int) -> None:
        self._build = build
        self._dut = Junction(build, index, 1)
        self._cycles = build.junctions[index].cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut, period, settle = self._dut, self._build.schedule.period, self._build.schedule.settle
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)

        most = max(period, settle, self._cycles) + 1
        since = Signal(range(most + 1), init=most)  # cycles since the last start
        training = Signal()
        with m.If(dut.start):
            m.d.sync += [since.eq(1), training.eq(dut.update_item.kind == SampleKind.TRAIN)]
        with m.Elif(since != most):
            m.d.sync += since.eq(since + 1)
        written_by_host = ages(m, dut.edge_words.write, ACCESS, name="host", reset=True)
        m.d.comb += [
            Assume(~dut.start | (since >= period)),
            Assume(~dut.start | ~Cat(written_by_host).any()),
            Assume(~dut.edge_words.write | (since > settle)),
        ]

        turn = inside["sequencer.active"]
        edges = "lanes0.edges"
        reads = delay(m, turn, SPREAD, name="active", reset=True) & inside[f"{edges}.reads"]
        trains = delay(m, training, SPREAD, name="trains")
        writes = inside[f"{edges}.written"].any()
        due, age = Signal(), Signal(range(UPDATE + 1))  # a new weight is on its way, since so many cycles
        m.d.sync += age.eq(age + 1)
        with m.If(reads & trains):
            m.d.sync += [due.eq(1), age.eq(1)]
        with m.Elif(writes):
            m.d.sync += due.eq(0)
        by_host = delay(m, dut.edge_words.write, UPDATE, name="by_host", reset=True)
        m.d.comb += [
            Assert(~(reads & due), "an edge is read before its update has landed"),
            Assert(~(reads & writes), "an edge is read while it is written"),
            Assert(~writes | due | by_host, "a write of nobody"),
            Assert(~(due & by_host), "the host's write meets an update"),
            # For induction.
            Assert(~turn | (inside["sequencer.cycle"] + 1 == since), "the block began with the last start"),
            Assert(~due | (age <= UPDATE - SPREAD), "an update takes its time and no more"),
            Cover(reads & delay(m, writes, 1, name="just_written", reset=True), "an edge is read as soon as it may be"),
        ]
        return m


def _builds() -> dict[str, Build]:
    """By the cycles of a block: as long as an update takes, and shorter, so that the schedule leaves a gap."""

    def build(*out_degree: int, lanes: tuple[int, int]) -> Build:
        network = Network(
            name="proof",
            features=8,
            classes=6,
            layers=(8, 6, 6),
            out_degree=out_degree,
            lanes=lanes,
            activations=("relu", "sigmoid"),
        )
        return Build(network=network, result_capacity=16, feature_port=1)

    return {"12": build(3, 4, lanes=(2, 2)), "3": build(3, 1, lanes=(4, 2))}


PROOFS = [
    Proof(
        name=f"junction/updates-{cycles}",
        claim=f"no update overtakes the next read of its edge, or meets another write (blocks of {cycles} cycles)",
        spec=lambda build=build: UpdatesLandInTime(build, 1),
        depth=build.schedule.period + UPDATE + SPREAD + 2,
        cover_depth=60,
    )
    for cycles, build in _builds().items()
]
