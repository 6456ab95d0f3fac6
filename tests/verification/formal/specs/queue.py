"""The result queue's memory: words in order, none lost, none invented, none overwritten."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Mux, Signal, Value

from presparse_hw.lib.queue import Queue
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import any_bit, anything
from tests.verification.formal.streams import Followed, assert_contract, transfers


class WordsInOrder(Elaboratable):
    """Whatever word the solver follows comes out behind exactly those that went in before it, unchanged, as long as
    nobody writes more than `depth` words ahead of the reader. Nothing comes out of an empty queue."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._dut = Queue(8, depth)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut, depth = self._dut, self._depth
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        read, written, held, valid = (inside[name] for name in ("read", "written", "held", "valid"))
        watched = inside["memory.watched"]

        word = Followed(
            m,
            enters=dut.write,
            word=dut.word,
            exits=transfers(dut.words),
            may_follow=any_bit(m, name="follow") & (written == watched),
            most=depth,
        )
        m.d.comb += Assume(~dut.write | (word.count < depth))
        with m.If(word.leaves):
            m.d.comb += Assert(dut.words.payload == word.word, "a word came out changed or out of order")
        m.d.comb += [
            Assert(word.count <= depth, "the queue never holds more than its depth"),
            Assert(~dut.words.valid | (word.count != 0), "an empty queue offers nothing"),
        ]
        assert_contract(m, dut)

        # For induction: where words are. Those asked for are in the memory's two registers, the others in memory.
        asked = Signal(2)
        m.d.comb += asked.eq(valid[0] + valid[1])
        place = Signal(range(2 * depth + 2))
        m.d.comb += place.eq(read + word.ahead - asked - 1)
        m.d.comb += [
            Assert(word.count == held + asked, "words are held or asked for"),
            Assert((read < depth) & (written < depth) & (watched < depth), "addresses are of the memory"),
            Assert(written == _modulo(read + held, depth), "pointers are as far apart as words are held"),
        ]
        with m.If(word.inside):
            with m.If(word.ahead > asked):
                m.d.comb += [
                    Assert(_modulo(place, depth) == watched, "the followed word is where it was written"),
                    Assert(inside["memory.known"] & (inside["memory.kept0"] == word.word), "and still there"),
                ]
            with m.Else():
                first = Mux(valid[1], inside["memory.data0"], inside["memory.word0"])
                m.d.comb += Assert(Mux(word.ahead == 1, first, inside["memory.word0"]) == word.word, "in registers")

        m.d.comb += [
            Cover(word.leaves & (word.word == 0xA5), "a followed word comes out"),
            Cover(word.count == depth, "the queue is full"),
            Cover(word.leaves & (word.count == depth), "it comes out of a full queue"),
            Cover(word.chosen & (word.count == depth - 1) & (read != 0), "the last place, after a turn of the ring"),
        ]
        return m


def _modulo(value: Value, depth: int) -> Value:
    """`value`, below twice the depth, as an address."""
    return Mux(value >= depth, value - depth, value)


PROOFS = [
    Proof(
        name=f"queue/in-order-{depth}",
        claim=f"a queue of {depth} never overflows, is never read before written, keeps order and the stream contract",
        spec=lambda depth=depth: WordsInOrder(depth),
        depth=4,
        cover_depth=3 * depth + 8,
        fast=depth < 10,
    )
    for depth in (2, 5, 13)
]
