"""The decoder whole: from sample words to transfers of the core."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.sample_words import WORD_BITS
from presparse_hw.core.ports import AnswerLayout, CommandLayout
from presparse_hw.lib.queue import StreamQueue
from presparse_hw.lib.skid import Skid
from presparse_hw.samples.expander import Expander
from presparse_hw.samples.palette_access import PaletteAccess
from presparse_hw.samples.palettes import Palettes
from presparse_hw.samples.ports import FedLayout, MaskLayout, WordLayout, format_of
from presparse_hw.samples.splitter import Splitter

AHEAD = 16
"""Masks, and blocks, that wait for those before them: what a cell of distributed RAM holds. So samples like MNIST's
take as many cycles as they have words, or their transfers steps, whichever are more."""
MASK_LATENCY, BLOCK_LATENCY = 18, 14
"""Cycles from a sample's last word to its final transfer, if nothing else waits."""
_MOST_SAMPLES = 41
"""Under way at once, at least a mask each: `AHEAD` in the queue, two before it, and no more than 23 behind it."""


class Decoder(wiring.Component):
    """Takes the words of samples (`presparse.contract.sample_words`) and offers their transfers.

        words ─> Splitter ─┬─ masks ──> queue ─┬─> Expander ── codes ─> Palettes ─> samples
                           └─ blocks ─> queue ─┘                           ^
                                                commands ─> PaletteAccess ─┘

    It takes a word per cycle, and at once a cycle per transfer, or as many as the transfer has blocks. A sample's final
    transfer is offered only if all its words are good, `BLOCK_LATENCY` cycles after the last one at the earliest, or
    `MASK_LATENCY` if that is a mask; the others may come before. No word is taken behind a wrong one, and the word
    behind a sample's last one is the next sample's first. A reset forgets all but the palettes.

    Members
    -------
    words : In(stream)     `kind` is PREDICT, TRAIN or EVALUATE, and the rate fits it
    samples : Out(stream)
    bad : Out(1)           the sample that has begun has words that `presparse.contract.sample_words.from_words` refuses
        (a label out of range among them), or a label other than 0 where it is to be predicted. All samples before it
        were taken, its own final transfer is never offered; until `drop`
    drop : In(1)           forget all samples that are under way, and what is taken in this cycle
    settled : Out(1)       all words taken were judged good, and all whole samples of them were taken
    between : Out(1)       and no sample has begun
    commands : In(stream), answers : Out(stream)   the host's, of the palettes' region (whatever region they name); only
        while `between`. `drop` leaves them alone
    """

    words: stream.Interface
    samples: stream.Interface
    bad: Signal
    drop: Signal
    settled: Signal
    between: Signal
    commands: stream.Interface
    answers: stream.Interface

    def __init__(self, build: Build) -> None:
        self._build = build
        super().__init__(
            {
                "words": In(stream.Signature(WordLayout())),
                "samples": Out(stream.Signature(FedLayout(build))),
                "bad": Out(1),
                "drop": In(1),
                "settled": Out(1, init=1),
                "between": Out(1, init=1),
                "commands": In(stream.Signature(CommandLayout())),
                "answers": Out(stream.Signature(AnswerLayout())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        build, fmt, reset = self._build, format_of(self._build), ResetInserter(self.drop)
        splitter, expander, palettes = Splitter(build), Expander(build), Palettes(build)
        masks, blocks = StreamQueue(MaskLayout(fmt), AHEAD), StreamQueue(WORD_BITS, AHEAD)
        m.submodules.splitter = reset(splitter)
        m.submodules.masks = reset(masks)
        m.submodules.blocks = reset(blocks)
        m.submodules.expander = reset(expander)
        m.submodules.palettes = reset(palettes)
        m.submodules.access = access = PaletteAccess(build)
        wiring.connect(m, wiring.flipped(self.words), splitter.words)
        # What the splitter finds out, and what the expander still needs, are known late in a cycle.
        for name, given, queue, taken in (
            ("mask", splitter.masks, masks, expander.masks),
            ("block", splitter.blocks, blocks, expander.blocks),
        ):
            before, behind = Skid(given.payload.shape()), Skid(given.payload.shape())
            m.submodules[f"{name}s_before"] = reset(before)
            m.submodules[f"{name}s_behind"] = reset(behind)
            wiring.connect(m, given, before.i)
            wiring.connect(m, before.o, queue.i)
            wiring.connect(m, queue.o, behind.i)
            wiring.connect(m, behind.o, taken)
        # The columns of the palettes are all over the chip, and the queues of blocks are not.
        transfers = Skid(palettes.transfers.payload.shape())
        m.submodules.transfers = reset(transfers)
        wiring.connect(m, expander.transfers, transfers.i)
        wiring.connect(m, transfers.o, palettes.transfers)
        # Whether the core takes a transfer is known late in a cycle, and far away.
        offered = Skid(palettes.samples.payload.shape())
        m.submodules.offered = reset(offered)
        wiring.connect(m, palettes.samples, offered.i)
        wiring.connect(m, offered.o, wiring.flipped(self.samples))
        wiring.connect(m, wiring.flipped(self.commands), access.commands)
        wiring.connect(m, access.answers, wiring.flipped(self.answers))
        m.d.comb += [
            palettes.by_host.eq(access.busy),
            palettes.color.eq(access.color),
            palettes.write.eq(access.write),
            palettes.value.eq(access.value),
            access.found.eq(palettes.found),
        ]

        whole = Signal(range(_MOST_SAMPLES + 1))  # samples of which all words were passed on, and not all is taken
        then = Signal.like(whole)  # in the next cycle
        none = Signal(init=1)  # whole == 0, from a register: who asks is far away
        sent = Signal()  # a cycle late
        step = Signal(signed(2))
        m.d.comb += [
            step.eq(Mux(sent, Mux(splitter.whole, 0, -1), splitter.whole)),
            then.eq(whole + step),
            self.bad.eq(splitter.wrong & none),
            self.settled.eq(splitter.idle & none),
            self.between.eq(splitter.between & none),
        ]
        m.d.sync += [
            sent.eq(self.samples.valid & self.samples.ready & self.samples.payload.final),
            whole.eq(then),
            none.eq(then == 0),
        ]
        with m.If(self.drop):
            m.d.sync += [sent.eq(0), whole.eq(0), none.eq(1)]
        return m
