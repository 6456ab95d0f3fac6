"""What a memory of samples is to its users: the host writes and reads it word by word, a run reads it sample by
sample."""

from __future__ import annotations

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.store import StoreState


class MemoryCommandLayout(data.StructLayout):
    """One access of the host's to a memory of that many 16-bit words. `address`: number of a 32-bit word."""

    def __init__(self, words: int) -> None:
        super().__init__({"address": range(words // 2), "data": 32, "write": 1})


class SampleWordLayout(data.StructLayout):
    """A word of a sample, and whether it is the sample's last one."""

    def __init__(self) -> None:
        super().__init__({"word": 16, "last": 1})


class SampleMemorySignature(wiring.Signature):
    """A memory of samples, seen from the memory. Commands and reads are never under way at once.

    The host's words are little-endian pairs: 16-bit word 2 i is the low half of 32-bit word i.

    Parameters
    ----------
    words : 16-bit words of the memory, a power of two

    Members
    -------
    commands : In(stream)   the host's accesses
    answers : Out(stream)   what each read, or 0 after a write: one per command, in their order
    reads : In(stream)      addresses of samples' first words, multiples of the words of a sample's slot
    words : Out(stream)     the samples' words, as many of each as its first word says, in the order of `reads`
    state : Out
    """

    def __init__(self, words: int) -> None:
        super().__init__(
            {
                "commands": In(stream.Signature(MemoryCommandLayout(words))),
                "answers": Out(stream.Signature(32)),
                "reads": In(stream.Signature(range(words))),
                "words": Out(stream.Signature(SampleWordLayout())),
                "state": Out(StoreState, init=StoreState.TESTING),
            }
        )
