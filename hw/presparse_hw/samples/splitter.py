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
    whole : Out(1)     a sample's last word was passed on in the cycle before
    wrong : Out(1)     the last word taken is wrong; until reset
    idle : Out(1)      every word taken was passed on, and `whole` told
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
        one_word = fmt.header_words == 1
        held = Signal()
        word = Signal(WordLayout(), reset_less=True)  # the one that is held
        facts = Signal(FactsLayout(fmt), reset_less=True)
        head = Signal(HeadLayout(fmt), reset_less=True)
        words = Signal(fmt.most_words.bit_length(), reset_less=True)  # left of the sample, the held one included
        last_word = Signal(reset_less=True)  # the held one is the last of them
        blocks = Signal(range(fmt.mask_blocks + 1), reset_less=True)  # left behind the newest mask
        last_block = Signal(reset_less=True)  # one is left
        number = Signal(range(fmt.masks))  # of the next mask
        mask = Signal(_MaskLayout(fmt), init=_mask(fmt, 0))  # what is known of it
        last_mask = Signal(reset_less=True)  # the newest one is the sample's last
        in_tail = Signal(reset_less=True)  # it says that the last feature's block is there

        strange = Signal()  # the held word is wrong
        ends = Signal()  # it is the sample's last, as the masks say
        room = Signal(init=1)  # there is for it
        good = Signal()
        taken = Signal()
        m.d.comb += [
            good.eq(held & ~strange),
            taken.eq(good & room),
            self.words.ready.eq(~held | taken),
            self.masks.payload.mask.eq(word.word),
            self.masks.payload.head.eq(head),
            self.blocks.payload.eq(word.word),
            self.idle.eq(~held & ~self.whole),
        ]
        m.d.sync += [self.wrong.eq(held & strange), self.whole.eq(taken & ends)]
        with m.If(self.words.ready):
            m.d.sync += [held.eq(self.words.valid), word.eq(self.words.payload)]
            m.d.sync += _learn(fmt, self.words.payload, facts)
        with m.If(taken):
            m.d.sync += [words.eq(words - 1), last_word.eq(words == 2)]

        with m.FSM() as fsm:
            m.d.comb += self.between.eq(fsm.ongoing("Header") & self.idle)
            with m.State("Header"):
                m.d.comb += strange.eq(facts.header_strange)
                with m.If(taken):
                    m.d.sync += [
                        words.eq((word.word >> fmt.length_shift) - 1),
                        last_word.eq(facts.length_is_two),
                        head.kind.eq(word.kind),
                        head.rate.eq(word.rate),
                        head.label.eq(word.word),
                    ]
                    m.next = "Mask" if one_word else "Label"
            if not one_word:
                with m.State("Label"):
                    m.d.comb += strange.eq(Mux(head.kind == SampleKind.PREDICT, facts.label_set, facts.label_strange))
                    with m.If(taken):
                        m.d.sync += head.label.eq(word.word)
                        m.next = "Mask"
            with m.State("Mask"):
                unlawful = facts.mask_strange.bit_select(mask.law, 1)
                m.d.comb += [
                    self.masks.valid.eq(good),
                    room.eq(self.masks.ready),
                    ends.eq(mask.last & facts.is_empty),
                    strange.eq(unlawful | (ends != last_word)),
                ]
                with m.If(taken):
                    m.d.sync += [blocks.eq(facts.ones), last_block.eq(facts.ones == 1)]
                    m.d.sync += [last_mask.eq(mask.last), in_tail.eq(mask.tail & word.word[_tail(fmt)[1]])]
                    _count_mask(m, fmt, number, mask)
                    with m.If(~facts.is_empty):
                        m.next = "Block"
                    with m.Elif(ends):
                        m.next = "Header"
            with m.State("Block"):
                m.d.comb += [
                    self.blocks.valid.eq(good),
                    room.eq(self.blocks.ready),
                    ends.eq(last_mask & last_block),
                    strange.eq(facts.block_strange | (facts.tail_strange & in_tail & last_block) | (ends != last_word)),
                ]
                with m.If(taken):
                    m.d.sync += [blocks.eq(blocks - 1), last_block.eq(blocks == 2)]
                    with m.If(ends):
                        m.next = "Header"
                    with m.Elif(last_block):
                        m.next = "Mask"
        return m


class FactsLayout(data.StructLayout):
    """What is known of a word whatever it turns out to be, found out while it is taken."""

    def __init__(self, fmt: SampleFormat) -> None:
        super().__init__(
            {
                "header_strange": 1,  # of a header: its length, or the label that it has
                "length_is_two": 1,
                "label_set": 1,  # of a label by itself
                "label_strange": 1,  # unless it predicts
                "ones": range(fmt.mask_blocks + 1),  # of a mask
                "is_empty": 1,
                "mask_strange": len(_laws(fmt)),  # it has other bits than these
                "block_strange": 1,  # of a block: it is 0, or has bits above its codes
                "tail_strange": 1,  # it has codes behind the last feature, if that is in it
            }
        )


def _learn(fmt: SampleFormat, incoming: data.View, facts: data.View) -> list[Value]:
    word = incoming.word
    length, mask = word >> fmt.length_shift, word[: fmt.mask_blocks]
    header_strange = (length < fmt.least_words) | (length > fmt.most_words)
    if fmt.header_words == 1:
        label = word[: fmt.label_bits]
        header_strange |= Mux(incoming.kind == SampleKind.PREDICT, label != 0, label >= fmt.classes)
    in_tail = fmt.features - (_used_blocks(fmt) - 1) * fmt.block_features
    return [
        facts.header_strange.eq(header_strange),
        facts.length_is_two.eq(length == 2),
        facts.label_set.eq(word != 0),
        facts.label_strange.eq(word >= fmt.classes),
        facts.ones.eq(sum(mask)),
        facts.is_empty.eq(mask == 0),
        *(facts.mask_strange[i].eq(word[bits:].any()) for i, bits in enumerate(_laws(fmt))),
        facts.block_strange.eq((word == 0) | word[fmt.bits * fmt.block_features :].any()),
        facts.tail_strange.eq(word[fmt.bits * in_tail :].any()),
    ]


class _MaskLayout(data.StructLayout):
    """A mask's place: `last` of the sample; with the last feature in its `tail`; the number of its `law`."""

    def __init__(self, fmt: SampleFormat) -> None:
        super().__init__({"last": 1, "tail": 1, "law": range(len(_laws(fmt)))})


def _mask(fmt: SampleFormat, number: int) -> dict[str, int]:
    laws = _laws(fmt)
    return {
        "last": number == fmt.masks - 1,
        "tail": number == _tail(fmt)[0],
        "law": laws.index(_lawful_bits(fmt, number)),
    }


def _count_mask(m: Module, fmt: SampleFormat, number: Signal, mask: data.View) -> None:
    """From one mask to the next, and from the last to the first."""
    layout, usual = _MaskLayout(fmt), {"last": 0, "tail": 0, "law": len(_laws(fmt)) - 1}
    count_modulo(m, number, fmt.masks)
    m.d.sync += mask.eq(layout.const(usual))
    with m.Switch(number):
        for own in range(fmt.masks):
            following = _mask(fmt, (own + 1) % fmt.masks)
            if following != usual:
                with m.Case(own):
                    m.d.sync += mask.eq(layout.const(following))


def _used_blocks(fmt: SampleFormat) -> int:
    """Blocks of a sample that have a feature."""
    return -(-fmt.features // fmt.block_features)


def _tail(fmt: SampleFormat) -> tuple[int, int]:
    """The mask and its bit of the block with the last feature."""
    return divmod(_used_blocks(fmt) - 1, fmt.mask_blocks)


def _lawful_bits(fmt: SampleFormat, mask: int) -> int:
    """Low bits of a mask that stand for a block with a feature."""
    return min(max(_used_blocks(fmt) - mask * fmt.mask_blocks, 0), fmt.mask_blocks)


def _laws(fmt: SampleFormat) -> list[int]:
    """The different numbers of lawful bits that masks have."""
    return sorted({_lawful_bits(fmt, mask) for mask in range(fmt.masks)})
