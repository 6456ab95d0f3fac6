"""The splitter: every word is judged as the contract reads it, and none is taken beyond its sample."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Array, Assert, Assume, Cat, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import data

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.wire import SampleKind
from presparse_hw.lib.delays import delay
from presparse_hw.samples.ports import MaskLayout, WordLayout, format_of
from presparse_hw.samples.splitter import FactsLayout, Splitter
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import anything
from tests.verification.formal.streams import assert_contract, assume_contract, transfers


class WordsAreJudged(Elaboratable):
    """A reader of its own, which follows the words as docs/protocol.md has them, meets every word in the cycle after it
    was taken:

    - a good one goes where it belongs, unchanged, with its sample's kind, rate and label, once;
    - a wrong one goes nowhere, is told in the next cycle for ever, and no word is taken behind it;
    - `whole` is told of every sample, a cycle after its last word; then the next word is a header.

    The reader counts the words of the sample: a good sample has as many as its header says.
    """

    def __init__(self, build: Build) -> None:
        self._build = build

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = format_of(self._build)
        dut = Splitter(self._build)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        assume_contract(m, dut)
        assert_contract(m, dut)
        m.d.comb += Assume(dut.words.payload.kind != SampleKind.FLUSH)

        # The word, and where in its sample it is: header, the second word of a header, mask, block.
        there = Signal()
        word = Signal(WordLayout())
        field = Signal(2)
        header, label, mask, block = (field == number for number in range(4))
        number = Signal(range(fmt.masks + 1))  # masks before this word
        kept = Signal(fmt.mask_blocks)  # blocks of the newest mask that are to come
        read = Signal(16)  # words before this one
        length, kind, rate, own_label = Signal(16), Signal(2), Signal(4), Signal(fmt.label_bits)
        with m.If(transfers(dut.words)):
            m.d.sync += [there.eq(1), word.eq(dut.words.payload)]

        bits = word.word
        block_bits = [bits.word_select(i, fmt.bits) for i in range(fmt.block_features)]
        place = Signal(range(fmt.mask_blocks))  # of the next block behind its mask
        for i in reversed(range(fmt.mask_blocks)):
            with m.If(kept[i]):
                m.d.comb += place.eq(i)
        rest = kept & (kept - 1)
        said, said_label = bits >> fmt.length_shift, bits[: fmt.label_bits] if fmt.header_words == 1 else bits
        whose = Mux(header, word.kind, kind)
        bad_label = Mux(whose == SampleKind.PREDICT, said_label != 0, said_label >= fmt.classes)
        feature = [
            (((number - 1) * fmt.mask_blocks + place) * fmt.block_features + i)[:16] for i in range(fmt.block_features)
        ]
        no_block = [
            ((number * fmt.mask_blocks + i) * fmt.block_features >= fmt.features) & bits[i]
            for i in range(fmt.mask_blocks)
        ]
        above = [bits[i] for i in range(fmt.mask_blocks, 16)]
        bad_block = (bits == 0) | (bits >> fmt.bits * fmt.block_features != 0)
        for code, at in zip(block_bits, feature, strict=True):
            bad_block |= (code != 0) & (at >= fmt.features)
        ends = Mux(mask, (number == fmt.masks - 1) & (bits == 0), block & (number == fmt.masks) & (rest == 0))
        bad = Signal()
        m.d.comb += bad.eq(
            (header & ((said < fmt.least_words) | (said > fmt.most_words)))
            | ((label if fmt.header_words == 2 else header) & bad_label)
            | (mask & Cat(*no_block, *above).any())
            | (block & bad_block)
            | ((mask | block) & (ends != (read + 1 == length)))
        )
        goes = Signal()
        m.d.comb += goes.eq(there & ~bad & Mux(mask, dut.masks.ready, Mux(block, dut.blocks.ready, 1)))
        with m.If(goes):
            m.d.sync += [there.eq(transfers(dut.words)), read.eq(read + 1)]
            with m.If(header):
                m.d.sync += [length.eq(said), kind.eq(word.kind), rate.eq(word.rate), own_label.eq(said_label)]
                m.d.sync += [field.eq(1 if fmt.header_words == 2 else 2)]
            with m.If(label):
                m.d.sync += [own_label.eq(said_label), field.eq(2)]
            with m.If(mask):
                m.d.sync += [number.eq(number + 1), kept.eq(bits), field.eq(Mux(bits == 0, 2, 3))]
            with m.If(block):
                m.d.sync += [kept.eq(rest), field.eq(Mux(rest == 0, 2, 3))]
            with m.If(ends):
                m.d.sync += [field.eq(0), read.eq(0), number.eq(0), kept.eq(0)]

        passed = data.View(MaskLayout(fmt), Value.cast(dut.masks.payload))
        m.d.comb += [
            Assert(dut.words.ready == (~there | goes), "a word is taken too early, or held up"),
            Assert(dut.masks.valid == (there & mask & ~bad), "a mask is passed on that is none, or wrong"),
            Assert(dut.blocks.valid == (there & block & ~bad), "a block is"),
            Assert(~dut.masks.valid | (passed.mask == bits[: fmt.mask_blocks]), "a mask is changed"),
            Assert(
                ~dut.masks.valid
                | ((passed.head.kind == kind) & (passed.head.rate == rate) & (passed.head.label == own_label)),
                "a mask of another sample",
            ),
            Assert(~dut.blocks.valid | (dut.blocks.payload == bits), "a block is changed"),
            Assert(dut.wrong == delay(m, there & bad, 1, name="bad", reset=True), "wrong"),
            Assert(dut.whole == delay(m, goes & ends, 1, name="ends", reset=True), "whole"),
            Assert(dut.idle == (~there & ~dut.whole), "idle"),
            Assert(dut.between == (~there & header & ~dut.whole), "between"),
            Assert(header | (read < length), "more words than the header says"),
        ]

        # For induction: what the splitter knows of the word, and of the sample.
        facts, head = data.View(FactsLayout(fmt), inside["facts"]), inside["head"]
        state = [0, 2, 3] if fmt.header_words == 1 else [0, 1, 2, 3]
        inner = mask | block
        tail_mask, tail_bit = divmod(-(-fmt.features // fmt.block_features) - 1, fmt.mask_blocks)
        lawful = [
            sum((own * fmt.mask_blocks + i) * fmt.block_features < fmt.features for i in range(fmt.mask_blocks))
            for own in range(fmt.masks)
        ]
        of_masks = [
            (own == fmt.masks - 1) | (own == tail_mask) << 1 | sorted(set(lawful)).index(bits) << 2
            for own, bits in enumerate(lawful)
        ]
        m.d.comb += [
            Assert(inside["mask"] == Array([*of_masks, of_masks[0]])[number]),
            Assert(~block | (kept >> Array([0, *lawful])[number] == 0)),
            Assert(inside["held"] == there),
            Assert(~there | (inside["word"] == Value.cast(word))),
            Assert(inside["fsm_state"] == Array(state.index(f) if f in state else 0 for f in range(4))[field]),
            Assert(~(there & header) | (facts.length_is_two == (said == 2))),
            Assert(
                ~(there & mask) | ((facts.ones == sum(bits[: fmt.mask_blocks])) & (facts.is_empty == (facts.ones == 0)))
            ),
            Assert(field != 1) if fmt.header_words == 1 else Assert(~label | (read == 1)),
            Assert(Mux(header, read == 0, (length >= fmt.least_words) & (length <= fmt.most_words))),
            Assert(header | (inside["words"] == length - read)),
            Assert(~inner | (inside["last_word"] == (read + 1 == length))),
            Assert(~label | (head[:6] == Cat(kind, rate))),
            Assert(~inner | (head == Cat(kind, rate, own_label)[: len(head)])),
            Assert(inside["number"] == Mux(number == fmt.masks, 0, number)),
            Assert(~(header | label) | ((number == 0) & (kept == 0))),
            Assert(~mask | ((number < fmt.masks) & (kept == 0))),
            Assert(~block | ((number != 0) & (number <= fmt.masks) & (kept != 0))),
            Assert(~block | (inside["blocks"] == sum(kept))),
            Assert(~block | (inside["last_block"] == (rest == 0))),
            Assert(~block | (inside["last_mask"] == (number == fmt.masks))),
            Assert(~block | (inside["in_tail"] == ((number - 1 == tail_mask) & kept[tail_bit]))),
        ]
        return m


def small_build(*, bits: int, features: int, left: int, port: int, classes: int = 3) -> Build:
    network = Network(
        name="proof", features=features, classes=classes, layers=(left, classes), out_degree=(classes,), lanes=(left,),
        activations=("sigmoid",),
    )  # fmt: skip
    return Build(network=network, sample_bits=bits, feature_port=port, sample_palettes="shared")


def _proof(name: str, build: Callable[[], Build]) -> Proof:
    return Proof(
        name=f"splitter/words-{name}",
        claim="a word that is not what its header says is told, and none is taken behind it or beyond its sample",
        spec=lambda: WordsAreJudged(build()),
        depth=2,
        cover_depth=14,
    )


PROOFS = [
    _proof("transfers-in-a-mask", lambda: small_build(bits=5, features=20, left=24, port=6)),
    _proof("masks-in-a-transfer", lambda: small_build(bits=9, features=20, left=36, port=18)),
    _proof("two-words-of-header", lambda: small_build(bits=9, features=120, left=126, port=18, classes=500)),
]
