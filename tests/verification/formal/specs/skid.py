"""The skid stage: a word is held while the next stage stalls."""

from __future__ import annotations

from amaranth.hdl import Assert, Cover, Elaboratable, Module, Mux

from presparse_hw.lib.skid import Skid
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import any_bit, anything
from tests.verification.formal.streams import Followed, assert_contract, assume_contract, transfers


class WordsInOrder(Elaboratable):
    """Any word that the solver follows comes out once, unchanged, behind those before it."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut = Skid(8, copies=2)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        assume_contract(m, dut)
        assert_contract(m, dut)
        word = Followed(
            m,
            enters=transfers(dut.i),
            word=dut.i.payload,
            exits=transfers(dut.o),
            may_follow=any_bit(m, name="follow"),
            most=2,
        )
        full = inside["full"]
        m.d.comb += [
            Assert(word.count == dut.o.valid + full, "as many words as places are taken"),
            Assert(~full | dut.o.valid, "the second place is taken after the first"),
            Assert(dut.free == dut.i.ready.replicate(2), "the copies of `ready` are not equal to it"),
        ]
        with m.If(word.leaves):
            m.d.comb += Assert(dut.o.payload == word.word, "a word came out changed or out of order")
        with m.If(word.inside):
            m.d.comb += Assert(Mux(word.ahead == 1, dut.o.payload, inside["spare"]) == word.word, "it is in its place")
        m.d.comb += [Cover(word.leaves & full, "it leaves a full stage"), Cover(word.chosen & ~dut.o.ready, "a stall")]
        return m


PROOFS = [
    Proof(
        name="skid/in-order",
        claim="a skid stage loses and repeats nothing and keeps the stream contract",
        spec=WordsInOrder,
        depth=2,
        cover_depth=8,
    )
]
