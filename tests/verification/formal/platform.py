"""The platform of proofs: memories and multipliers as a solver should see them.

Gateware asks its platform for memories and multipliers (`RegisteredMemory`, `Multiplier`). For a proof, both are
replaced by what their documentation promises and not more, so that whatever is proved holds for any hardware that
keeps the promise: the result of a read during a write of the same address, and of a word that nobody wrote, is
anything at all, chosen by the solver to hurt.
"""

from __future__ import annotations

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assume, Cat, Elaboratable, Module, Mux, Signal

from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory


class WatchedMemory(Elaboratable):
    """A `RegisteredMemory` of which one word is kept, at an address that the solver chooses; all others are anything.

    What holds for any one word holds for each; so no memory is too deep for a proof.

    Signals for specs: `watched` the address; `kept` the word; `known` it was written; `hit` a read of a known word,
    undisturbed, begins in this cycle; `torn` it is read in the cycle of its write, or before it is known.
    """

    def __init__(self, memory: RegisteredMemory) -> None:
        self._memory = memory

    def elaborate(self, platform: object) -> Module:
        m = Module()
        memory = self._memory
        watched = Signal(range(memory.depth), name="watched")
        m.d.comb += [watched.eq(AnyConst(watched.shape())), Assume(watched < memory.depth)]
        reads, torn = Signal(name="reads"), Signal(name="torn")
        known_fields = Signal(len(memory.fields), name="known")
        written = Signal(len(memory.fields), name="written")
        at = memory.write_address == watched
        m.d.comb += [
            written.eq(Cat(memory.write) & at.replicate(len(memory.fields))),
            reads.eq(memory.read_enable & (memory.read_address == watched)),
            torn.eq(reads & (written.any() | ~known_fields.all())),
        ]
        for i, (field, incoming, out) in enumerate(
            zip(memory.fields, memory.write_data, memory.read_data, strict=True)
        ):
            kept = Signal(field, name=f"kept{i}", reset_less=True)
            with m.If(written[i]):
                m.d.sync += [kept.eq(incoming), known_fields[i].eq(1)]
            word, data = Signal(field, name=f"word{i}"), Signal(field, name=f"data{i}")
            sound = reads & known_fields[i] & ~written[i]
            with m.If(memory.read_enable):
                m.d.sync += [word.eq(Mux(sound, kept, AnySeq(field))), data.eq(word)]
            m.d.comb += out.eq(data)
        return m


class ProofPlatform:
    """What specs elaborate their part for. `multiply`: keep multipliers; else products are anything."""

    def get_registered_memory(self, memory: RegisteredMemory) -> Elaboratable:
        return WatchedMemory(memory)

    def get_multiplier(self, multiplier: Multiplier) -> Elaboratable:
        m = Module()
        m.d.comb += multiplier.product.eq(AnySeq(multiplier.product.shape()))
        return m
