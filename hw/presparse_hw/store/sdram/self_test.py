"""An SDRAM is tested before it is used, and the right moment to sample its data is found by it."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.store import StoreState
from presparse_hw.store.memory_ports import MemoryCommandLayout
from presparse_hw.store.sdram.ports import READ_PHASES

PATTERNS = 32
"""Words that are written and then read, twice per read phase."""


def middle(works: int) -> int:
    """The read phase in the middle of the longest row of those that work (bits of `works`); the earlier one of two."""
    runs = [
        (first, last)
        for first in range(READ_PHASES)
        for last in range(first, READ_PHASES)
        if all(works >> phase & 1 for phase in range(first, last + 1))
    ]
    first, last = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    return (first + last) // 2


class SelfTest(wiring.Component):
    """Writes and reads 32 words at as many addresses in every read phase, and takes one in which all were right.

    From each address to the next one bit changes (0, 1, 11, 111, ... in binary, and back to 0 from the lowest bit on),
    so an address bit that is stuck or follows another one makes two of them one. Each word has one bit of 32, and then
    all but one: a data bit that is stuck, follows another one or is late makes a word wrong. It needs 256 writes
    and as many reads, each as long as the memory takes for it and 2 cycles.

    Nothing that was in the memory is kept.

    Parameters
    ----------
    words : 16-bit words of the memory, at least 2^17

    Members
    -------
    commands : Out(stream), answers : In(stream)   of the memory
    phase : Out          the phase to read in
    works : Out          bit p: phase p did; complete when `state` is not TESTING
    state : Out          FAILED: no phase works
    """

    commands: stream.Interface
    answers: stream.Interface
    phase: Signal
    works: Signal
    state: Signal

    def __init__(self, words: int) -> None:
        self._address_bits = (words // 2 - 1).bit_length()
        if 2 * self._address_bits < PATTERNS:
            raise ValueError(f"the memory must have at least 131072 words for {PATTERNS} patterns, and has {words}")
        super().__init__(
            {
                "commands": Out(stream.Signature(MemoryCommandLayout(words))),
                "answers": In(stream.Signature(32)),
                "phase": Out(range(READ_PHASES)),
                "works": Out(READ_PHASES),
                "state": Out(StoreState, init=StoreState.TESTING),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step = Signal(
            data.StructLayout(
                {"number": range(PATTERNS), "reads": 1, "inverted": 1, "phase": range(READ_PHASES)},
            )
        )
        address = Signal(self._address_bits)
        bit = Signal(PATTERNS, init=1)
        word = bit ^ step.inverted.replicate(PATTERNS)
        wrong = Signal()  # in this phase
        m.d.comb += [
            self.commands.payload.address.eq(address),
            self.commands.payload.data.eq(word),
            self.commands.payload.write.eq(~step.reads),
        ]
        with m.If(self.state == StoreState.TESTING):
            m.d.sync += self.phase.eq(step.phase)
        with m.FSM():
            with m.State("Ask"):
                m.d.comb += self.commands.valid.eq(1)
                with m.If(self.commands.ready):
                    m.next = "Answer"
            with m.State("Answer"):
                m.d.comb += self.answers.ready.eq(1)
                with m.If(self.answers.valid):
                    m.d.sync += wrong.eq(wrong | (step.reads & (self.answers.payload != word)))
                    m.next = "Next"
            with m.State("Next"):
                m.d.sync += [
                    step.eq(step.as_value() + 1),
                    bit.eq(bit.rotate_left(1)),
                    address.eq(Cat(~address[-1], address)),
                ]
                m.next = "Ask"
                with m.If(step.number == PATTERNS - 1):
                    m.d.sync += address.eq(0)
                    with m.If(step.reads & step.inverted):
                        m.d.sync += [self.works.eq(Cat(self.works[1:], ~wrong)), wrong.eq(0)]
                        with m.If(step.phase == READ_PHASES - 1):
                            m.next = "Choose"
            with m.State("Choose"):
                m.d.sync += self.state.eq(Mux(self.works.any(), StoreState.READY, StoreState.FAILED))
                with m.Switch(self.works):
                    for works in range(1 << READ_PHASES):
                        with m.Case(works):
                            m.d.sync += self.phase.eq(middle(works))
                m.next = "Done"
            with m.State("Done"):
                pass
        return m
