"""Sample words told apart and judged: header, masks, blocks."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.sample_words import WORD_BITS, SampleFormat
from presparse.contract.wire import SampleKind
from presparse_hw.lib.sequencer import count_modulo
from presparse_hw.samples.ports import HeadLayout, MaskLayout, WordLayout, format_of


class Splitter(wiring.Component):
    """Takes a word per cycle, judges it in the next one, and passes masks and blocks on.

    A word that is wrong is not passed on, and none is taken behind it. Since every word belongs to a transfer, a
    sample's last transfer is complete only after its last word was found good.

    Members
    -------
    words : In(stream)
    masks : Out(stream), blocks : Out(stream)   a cycle after their word
    whole : Out(1)     in the cycle in which a sample's last word is passed on
    wrong : Out(1)     the last word taken is wrong; until reset
    idle : Out(1)      every word taken was passed on
    between : Out(1)   and the last one was its sample's last
    """

    words: stream.Interface
    masks: stream.Interface
    blocks: stream.Interface
    whole: Signal
    wrong: Signal
    idle: Signal
    between: Signal

    def __init__(self, build: Build) -> None:
        self._format = fmt = format_of(build)
        super().__init__(
            {
                "words": In(stream.Signature(WordLayout())),
                "masks": Out(stream.Signature(MaskLayout(fmt))),
                "blocks": Out(stream.Signature(WORD_BITS)),
                "whole": Out(1),
                "wrong": Out(1),
                "idle": Out(1, init=1),
                "between": Out(1, init=1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self._format
        held = Signal()
        word = Signal(WordLayout(), reset_less=True)  # the one that is held
        facts = Signal(_FactsLayout(fmt), reset_less=True)
        head = Signal(HeadLayout(fmt), reset_less=True)
        words = Signal(fmt.most_words.bit_length(), reset_less=True)  # left of the sample, the held one included
        blocks = Signal(range(fmt.mask_blocks + 1), reset_less=True)  # left behind the newest mask
        number = Signal(range(fmt.masks))  # of the next mask
        last_mask = Signal(reset_less=True)  # the newest mask is the sample's last
        partial = Signal(reset_less=True)  # and the last block behind it has codes of no feature

        # The held word is wrong; is the sample's last, as the masks say; can be passed on.
        strange, ends, room = Signal(), Signal(), Signal(init=1)
        good, taken = Signal(), Signal()
        m.d.comb += [
            good.eq(held & ~strange),
            taken.eq(good & room),
            self.words.ready.eq(~held | taken),
            self.masks.payload.mask.eq(word.word),
            self.masks.payload.head.eq(head),
            self.blocks.payload.eq(word.word),
            self.whole.eq(taken & ends),
            self.idle.eq(~held),
        ]
        m.d.sync += self.wrong.eq(held & strange)
        with m.If(self.words.ready):
            m.d.sync += [held.eq(self.words.valid), word.eq(self.words.payload)]
            m.d.sync += _learn(fmt, self.words.payload.word, facts)
        with m.If(taken):
            m.d.sync += words.eq(words - 1)

        one_word = fmt.header_words == 1
        tail_mask, tail_bit = divmod(_used_blocks(fmt) - 1, fmt.mask_blocks)
        with m.FSM() as fsm:
            m.d.comb += self.between.eq(fsm.ongoing("Header") & ~held)
            with m.State("Header"):
                m.d.comb += strange.eq(facts.length_strange | (_label_is_strange(facts, word.kind) & one_word))
                with m.If(taken):
                    m.d.sync += [
                        words.eq((word.word >> fmt.length_shift) - 1),
                        head.kind.eq(word.kind),
                        head.rate.eq(word.rate),
                        head.label.eq(word.word),
                    ]
                    m.next = "Mask" if one_word else "Label"
            if not one_word:
                with m.State("Label"):
                    m.d.comb += strange.eq(_label_is_strange(facts, head.kind))
                    with m.If(taken):
                        m.d.sync += head.label.eq(word.word)
                        m.next = "Mask"
            with m.State("Mask"):
                is_last = number == fmt.masks - 1
                m.d.comb += [
                    self.masks.valid.eq(good),
                    room.eq(self.masks.ready),
                    ends.eq(is_last & (facts.ones == 0)),
                    strange.eq(_mask_is_strange(fmt, m, facts, number) | (ends != (words == 1))),
                ]
                with m.If(taken):
                    m.d.sync += [
                        blocks.eq(facts.ones),
                        last_mask.eq(is_last),
                        partial.eq((number == tail_mask) & word.word[tail_bit]),
                    ]
                    count_modulo(m, number, fmt.masks)
                    with m.If(facts.ones != 0):
                        m.next = "Block"
                    with m.Elif(ends):
                        m.next = "Header"
            with m.State("Block"):
                is_last = blocks == 1
                m.d.comb += [
                    self.blocks.valid.eq(good),
                    room.eq(self.blocks.ready),
                    ends.eq(last_mask & is_last),
                    strange.eq(facts.block_strange | (facts.tail_strange & partial & is_last) | (ends != (words == 1))),
                ]
                with m.If(taken):
                    m.d.sync += blocks.eq(blocks - 1)
                    with m.If(ends):
                        m.next = "Header"
                    with m.Elif(is_last):
                        m.next = "Mask"
        return m


class _FactsLayout(data.StructLayout):
    """What is known of a word whatever it turns out to be, found out while it is taken."""

    def __init__(self, fmt: SampleFormat) -> None:
        super().__init__(
            {
                "length_strange": 1,  # of a header
                "label_set": 1,  # of the word with the label
                "label_strange": 1,  # unless it predicts
                "ones": range(fmt.mask_blocks + 1),  # of a mask
                "mask_strange": len(_lawful_masks(fmt)),  # bits of no block, for each of these masks
                "block_strange": 1,  # 0, or bits above its codes
                "tail_strange": 1,  # codes behind the last feature, if it has that feature
            }
        )


def _learn(fmt: SampleFormat, word: Value, facts: data.View) -> list[Value]:
    length, label = word >> fmt.length_shift, word[: fmt.label_bits] if fmt.header_words == 1 else word
    in_tail = fmt.features - (_used_blocks(fmt) - 1) * fmt.block_features
    return [
        facts.length_strange.eq((length < fmt.least_words) | (length > fmt.most_words)),
        facts.label_set.eq(label != 0),
        facts.label_strange.eq(label >= fmt.classes),
        facts.ones.eq(sum(word[: fmt.mask_blocks])),
        *(facts.mask_strange[i].eq(word[bits:].any()) for i, bits in enumerate(_lawful_masks(fmt))),
        facts.block_strange.eq((word == 0) | word[fmt.bits * fmt.block_features :].any()),
        facts.tail_strange.eq(word[fmt.bits * in_tail :].any()),
    ]


def _label_is_strange(facts: data.View, kind: Value) -> Value:
    return Mux(kind == SampleKind.PREDICT, facts.label_set, facts.label_strange)


def _mask_is_strange(fmt: SampleFormat, m: Module, facts: data.View, number: Signal) -> Signal:
    choices = _lawful_masks(fmt)
    strange = Signal(name="mask_is_strange")
    m.d.comb += strange.eq(facts.mask_strange[-1])
    with m.Switch(number):
        for mask in range(fmt.masks):
            bits = _lawful_bits(fmt, mask)
            if bits != choices[-1]:
                with m.Case(mask):
                    m.d.comb += strange.eq(facts.mask_strange[choices.index(bits)])
    return strange


def _used_blocks(fmt: SampleFormat) -> int:
    """Blocks of a sample that have a feature."""
    return -(-fmt.features // fmt.block_features)


def _lawful_bits(fmt: SampleFormat, mask: int) -> int:
    """Low bits of a mask that stand for a block with a feature."""
    return min(max(_used_blocks(fmt) - mask * fmt.mask_blocks, 0), fmt.mask_blocks)


def _lawful_masks(fmt: SampleFormat) -> list[int]:
    """The different numbers of lawful bits that masks have, ascending."""
    return sorted({_lawful_bits(fmt, mask) for mask in range(fmt.masks)})
