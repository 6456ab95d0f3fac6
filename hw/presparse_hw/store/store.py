"""The sample store whole: a memory, the host's access to it, and runs over what it holds."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse_hw.core.ports import AnswerLayout, CommandLayout
from presparse_hw.samples.ports import WordLayout
from presparse_hw.store.block_memory import BlockMemory
from presparse_hw.store.player import Player
from presparse_hw.store.ports import RunSignature, store_of
from presparse_hw.store.reader import Reader
from presparse_hw.store.sdram.chip import Sdram
from presparse_hw.store.sdram.memory import SdramMemory
from presparse_hw.store.sdram.ports import SdramPadSignature
from presparse_hw.store.store_access import StoreAccess


def pads_of(build: Build, sdram: Sdram | None) -> dict[str, wiring.Member]:
    """The member `sdram` of what holds the store of a build in SDRAM; none for others.

    Raises ValueError if the chip is missing, or smaller than the store.
    """
    if build.store is None or build.store.memory != "sdram":
        return {}
    if sdram is None or sdram.chip.words < build.store.words:
        found = "there is none" if sdram is None else f"{sdram.chip.name} has {sdram.chip.words}"
        raise ValueError(f"the build's store needs an SDRAM of {build.store.words} words, and {found}")
    return {"sdram": Out(SdramPadSignature(sdram.chip))}


class SampleStore(wiring.Component):
    """Gives the words of stored samples, and the flush behind them.

        runs ──> Player ──addresses──> Reader ──> memory
                                         │          ^
        words <──────────────────────────┘          │
        commands ─────────> StoreAccess ────────────┘

    A restart ends the run; the memory stays, and what it was asked for comes and is dropped.

    Parameters
    ----------
    sdram : its chip, of builds with `store_memory` "sdram"

    Members
    -------
    sdram : Out(SdramPadSignature)   of the same
    runs : Out(RunSignature)
    commands : In(stream), answers : Out(stream)   of the store's region; not during a run
    words : Out(stream)   to the decoder
    decoding : In(1)      the decoder holds a part of a sample
    accepted : In(1)      one cycle per sample that the core took whole
    bad : In(1)           of the decoder, until `discard`
    discard : Out(1)      one cycle: drop the bad sample in decoder and core
    flush : Out(1), flushed : In(1)   offers a flush to the core, which takes it in the second's cycle
    drained : In(1)       of the core
    restart : In(1)
    """

    sdram: wiring.PureInterface
    runs: wiring.PureInterface
    commands: stream.Interface
    answers: stream.Interface
    words: stream.Interface
    decoding: Signal
    accepted: Signal
    bad: Signal
    discard: Signal
    flush: Signal
    flushed: Signal
    drained: Signal
    restart: Signal

    def __init__(self, build: Build, sdram: Sdram | None) -> None:
        self._store = store = store_of(build)
        self._memory: BlockMemory | SdramMemory
        pads = pads_of(build, sdram)
        if sdram is not None and pads:
            fmt = store.format
            self._memory = SdramMemory(sdram, length_shift=fmt.length_shift, most_words=fmt.most_words)
        else:
            self._memory = BlockMemory(store)
        super().__init__(
            {
                **pads,
                "runs": Out(RunSignature()),
                "commands": In(stream.Signature(CommandLayout())),
                "answers": Out(stream.Signature(AnswerLayout())),
                "words": Out(stream.Signature(WordLayout())),
                "decoding": In(1),
                "accepted": In(1),
                "bad": In(1),
                "discard": Out(1),
                "flush": Out(1),
                "flushed": In(1),
                "drained": In(1),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        runs = self.runs
        player, reader = Player(self._store), Reader(self._store.words)
        m.submodules.memory = self._memory
        memory = self._memory.memory
        m.submodules.access = access = StoreAccess(self._store)
        m.submodules.reader = reader
        m.submodules.player = ResetInserter(self.restart)(player)
        wiring.connect(m, wiring.flipped(self.commands), access.commands)
        wiring.connect(m, access.answers, wiring.flipped(self.answers))
        wiring.connect(m, memory.answers, access.memory_answers)
        wiring.connect(m, player.addresses, reader.addresses)
        wiring.connect(m, memory.words, reader.memory_words)
        command, word = access.memory_commands.payload, self.words.payload
        m.d.comb += [
            # A chip may have more words than the store.
            memory.commands.payload.address.eq(command.address),
            memory.commands.payload.data.eq(command.data),
            memory.commands.payload.write.eq(command.write),
            memory.commands.valid.eq(access.memory_commands.valid),
            access.memory_commands.ready.eq(memory.commands.ready),
            memory.reads.payload.eq(reader.memory_reads.payload),
            memory.reads.valid.eq(reader.memory_reads.valid),
            reader.memory_reads.ready.eq(memory.reads.ready),
            self.words.valid.eq(reader.words.valid),
            word.word.eq(reader.words.payload.word),
            word.kind.eq(runs.run.kind),
            word.rate.eq(runs.run.rate),
            reader.words.ready.eq(self.words.ready),
            reader.forget.eq(player.forget | self.restart),
            access.reading.eq(~reader.idle),
            access.state.eq(memory.state),
            player.start.eq(runs.start),
            player.run.eq(runs.run),
            player.stop.eq(runs.stop),
            player.reading.eq(~reader.idle),
            player.decoding.eq(self.decoding),
            player.bad.eq(self.bad),
            player.flushed.eq(self.flushed),
            player.drained.eq(self.drained),
            self.discard.eq(player.discard),
            self.flush.eq(player.flush),
            runs.running.eq(player.running),
            runs.accepted.eq(self.accepted & player.running),
            runs.state.eq(memory.state),
        ]
        if isinstance(self._memory, SdramMemory):
            wiring.connect(m, self._memory.pads, wiring.flipped(self.sdram))
            m.d.comb += runs.read_phase.eq(self._memory.phase)
        with m.If(self.restart):
            m.d.sync += [runs.fed.eq(0), runs.runs.eq(0)]
        with m.Elif(runs.start):
            m.d.sync += [runs.fed.eq(0), runs.runs.eq(runs.runs + 1)]
        with m.Elif(runs.accepted):
            m.d.sync += runs.fed.eq(runs.fed + 1)
        return m
