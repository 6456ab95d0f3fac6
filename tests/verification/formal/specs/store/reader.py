"""The reader: what a run asked for and forgot never reaches the next one."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Mux, Signal, Value

from presparse_hw.store.memory_ports import SampleWordLayout
from presparse_hw.store.reader import MOST_ASKED, Reader
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import any_bit, anything
from tests.verification.formal.streams import Followed, assume_contract, keeps_contract, transfers


class ForgottenSamples(Elaboratable):
    """The sample that the solver follows, of a memory that gives samples in the order in which it is asked, each with
    any words: its words are passed on, all of them, unless it was forgotten; then none are. No address is lost."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut = Reader(64)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        assume_contract(m, dut)
        m.d.comb += Assert(keeps_contract(m, dut.memory_reads, name="memory_reads"), "the memory's address stays")
        # Between memory and run is a skid stage; that it keeps words and their order is its own proof.
        valid, full, word, spare = (inside[f"skid.{name}"] for name in ("o__valid", "full", "head", "spare"))
        first, second = (SampleWordLayout()(Value.cast(each)) for each in (word, spare))
        came = valid & inside["o__ready"] & first.last
        sample = Followed(
            m,
            enters=transfers(dut.addresses),
            word=dut.addresses.payload,
            exits=came,
            may_follow=any_bit(m, name="follow"),
            most=MOST_ASKED,
        )
        # The memory gives nothing that it was not asked for.
        held = Signal()
        given = Signal(2)  # samples that are whole in the skid stage
        m.d.comb += [
            held.eq(dut.memory_reads.valid),
            given.eq((valid & first.last) + (full & second.last)),
            Assume(~dut.memory_words.valid | (sample.count > held + given)),
            Assert(sample.count >= held + given, "what is here was asked for"),
            Assert(~full | valid, "the skid stage's second place is taken after the first"),
        ]
        forgotten = Signal()
        with m.If(sample.chosen):
            m.d.sync += forgotten.eq(dut.forget)
        with m.Elif(dut.forget):
            m.d.sync += forgotten.eq(1)
        its = sample.inside & (sample.ahead == 1)
        m.d.comb += [
            Assert(
                sample.count + inside["returned"] == inside["asked"], "all are counted, those that came a cycle late"
            ),
            Assert(inside["asked"] <= MOST_ASKED, "no more than the most"),
            Assert(~dut.idle | (sample.count == 0), "idle says that nothing is to come"),
            Assert(~held | (sample.count != 0), "an address at the memory is counted"),
            Assert(~sample.inside | (forgotten == inside["forgetting"]), "what is forgotten is not asked for again"),
        ]
        with m.If(its & valid):
            m.d.comb += [
                Assert(dut.words.valid == ~forgotten, "words are passed on, or dropped"),
                Assert(~forgotten | inside["o__ready"], "what is dropped waits for nobody"),
                Assert(~dut.words.valid | (inside["o__ready"] == dut.words.ready), "no word is passed on twice"),
                Assert(Value.cast(dut.words.payload) == Value.cast(word), "and as it is"),
            ]
        with m.If(sample.inside & held & (sample.ahead == sample.count)):
            m.d.comb += Assert(dut.memory_reads.payload == sample.word, "its address reaches the memory")
        m.d.comb += [
            Cover(its & came & ~forgotten & (sample.word == 42), "a sample comes"),
            Cover(its & came & forgotten, "a sample is dropped"),
            Cover(transfers(dut.addresses) & Mux(dut.words.ready, inside["asked"] == MOST_ASKED - 1, 0), "the most"),
        ]
        return m


PROOFS = [
    Proof(
        name="reader/forgets",
        claim="no word of a sample that was forgotten reaches the decoder, and all of one that was not do",
        spec=ForgottenSamples,
        depth=3,
        cover_depth=18,
    )
]
