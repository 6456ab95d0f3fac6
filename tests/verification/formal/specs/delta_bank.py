"""The delta bank: read, add, write, one addition per cycle."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Module, Signal

from presparse.contract.schedule import READ
from presparse_hw.core.delta_bank import DeltaBank
from presparse_hw.lib.delays import ages, delay
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import anything, chosen


class EveryAdditionCounts(Elaboratable):
    """A fetched sum is the sum of all products added to its address since the last that was first, or since it was
    cleared, whatever the distances of the additions: a plain register adds the same products without a pipeline.

    Checked for one address that the solver chooses, and so for each.
    """

    def __init__(self, depth: int, product_width: int, sum_width: int) -> None:
        self._dut = DeltaBank(depth, product_width, sum_width)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut = self._dut
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        watched = chosen(m, dut.address.shape(), name="watched")
        for bank in ("sums", "fetched_sums"):
            m.d.comb += Assume(inside[f"{bank}.watched"] == watched)

        # An addition is one cycle of the model, in the cycle of its product.
        mine = ages(m, dut.add & (dut.address == watched), READ + 1, name="mine", reset=True)
        first = ages(m, dut.first, READ, name="first")
        clears = dut.clear & (dut.clear_address == watched)
        total = Signal.like(dut.sum)
        known = Signal()  # there was a first addition or a clear
        with m.If(mine[READ]):
            with m.If(first[READ]):
                m.d.sync += [total.eq(dut.product), known.eq(1)]
            with m.Else():
                m.d.sync += total.eq(total + dut.product)
        with m.Elif(clears):
            m.d.sync += [total.eq(0), known.eq(1)]

        # "Not while adding": no addition is under way when a clear comes, and none begins until it is written.
        adding = ages(m, dut.add, READ + 1, name="adding", reset=True)
        clearing = delay(m, dut.clear, 1, name="clearing", reset=True)
        m.d.comb += [Assume(~(dut.clear & Cat(adding).any())), Assume(~(clearing & dut.add))]
        # The fetched address may not be written in the fetch's cycle.
        cleared = delay(m, clears, 1, name="cleared", reset=True)
        quiet = ~mine[READ + 1] & ~cleared
        fetches = Signal()
        m.d.comb += fetches.eq((dut.fetch_address == watched) & quiet & known)
        # What the fetch sees was written before: the model is a cycle ahead of the write, and quiet in this one.
        expected = delay(m, total, READ, name="expected")
        fetched = delay(m, fetches, READ, name="fetched", reset=True)
        with m.If(fetched):
            m.d.comb += Assert(dut.sum == expected, "a fetched sum lost or gained an addition")

        # For induction: where the newest sum is while it is on its way, and that both memories hold it afterwards.
        newest = inside["recent1"]
        with m.If(known & (mine[READ + 1] | cleared)):
            m.d.comb += Assert(newest == total, "the newest sum is in the first register")
        with m.If(known & quiet):
            for bank in ("sums", "fetched_sums"):
                m.d.comb += [
                    Assert(inside[f"{bank}.known"], "a known sum was written"),
                    Assert(inside[f"{bank}.kept0"] == total, "memory holds the sum"),
                ]

        for distance in range(1, READ + 3):  # every way of forwarding, and memory
            previous = delay(m, mine[READ] & known, distance, name=f"previous{distance}", reset=True)
            m.d.comb += Cover(previous & mine[READ] & ~first[READ] & (total != 0), f"additions {distance} apart")
        m.d.comb += [
            Cover(fetched & (dut.sum != 0), "a sum is fetched"),
            Cover(delay(m, clears & (total != 0), READ + 2, name="was_cleared", reset=True) & fetched, "a clear"),
        ]
        return m


PROOFS = [
    Proof(
        name=f"delta_bank/additions-{depth}x{product}+{total}",
        claim=f"read-modify-write never loses an addition ({depth} addresses, {product}-bit products)",
        spec=lambda depth=depth, product=product, total=total: EveryAdditionCounts(depth, product, total),
        depth=READ + 4,
        cover_depth=20,
    )
    for depth, product, total in ((1, 3, 4), (2, 3, 5), (5, 8, 16), (64, 22, 30))
]
