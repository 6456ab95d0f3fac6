"""Samples on their way into the core: raw ones, and words that are decoded first."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import PALETTE_REGION, REGION_SHIFT, STORE_REGION
from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.core.ports import AnswerLayout, CommandLayout, CoreSignature
from presparse_hw.lib.skid import Skid
from presparse_hw.link.ports import CompressedSignature
from presparse_hw.samples.decoder import Decoder
from presparse_hw.store.ports import RunSignature
from presparse_hw.store.sdram.chip import Sdram
from presparse_hw.store.store import SampleStore, pads_of


class SampleIntake(wiring.Component):
    """Stands in for the core towards the link, and takes compressed samples as well: of the link, and of the store, if
    the build has one.

        samples ──────────────────────────────────────────┐
        compressed ─────────┬─words─> Decoder ──samples───┴──> core
        runs ──> SampleStore ┘└─flush─────────────────────┘
        commands ─> RegionAccess ─> core, Decoder's palettes, SampleStore

    During a run the link's samples wait, its memory access is answered `not_drained`, `drained` is low, and what the
    link discards is not the run's. A restart ends the run; memories stay. The link's `drained` is a cycle late: its
    ends are far apart.

    Parameters
    ----------
    sdram : as in `SampleStore`

    Members
    -------
    sdram : Out(SdramPadSignature)   as in `SampleStore`
    link : Out         the core's ports, for the link
    compressed : Out
    runs : Out         unused in builds without a store
    core : In          the core's ports
    """

    sdram: wiring.PureInterface
    link: wiring.PureInterface
    compressed: wiring.PureInterface
    runs: wiring.PureInterface
    core: wiring.PureInterface

    def __init__(self, build: Build, sdram: Sdram | None) -> None:
        self._build = build
        self._store = SampleStore(build, sdram) if build.store else None
        super().__init__(
            {
                **pads_of(build, sdram),
                "link": Out(CoreSignature(build)),
                "compressed": Out(CompressedSignature()),
                "runs": Out(RunSignature()),
                "core": In(CoreSignature(build)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link, core, compressed, store = self.link, self.core, self.compressed, self._store
        m.submodules.decoder = decoder = Decoder(self._build)
        m.submodules.access = access = ResetInserter(link.discard | link.restart)(RegionAccess(store is not None))
        running = self.runs.running
        flush = Signal()
        discard = Signal()
        sent = core.samples.valid & core.samples.ready
        accepted = sent & decoder.samples.valid & decoder.samples.payload.final

        # A cycle late: a request is longer than that, and what it may do is decided far from the decoder.
        between = Signal(init=1)
        m.d.sync += [
            between.eq(decoder.between),
            access.closed.eq(running | ~decoder.between),
            access.drained.eq(core.drained),
            link.drained.eq(core.drained & between & ~running),
            compressed.bad.eq(decoder.bad & ~running),
        ]
        # Raw and decoded transfers are never offered at once: the link sees to it, and waits while a run is on.
        offered = Mux(decoder.samples.valid, decoder.samples.payload.sample.as_value(), link.samples.payload.as_value())
        m.d.comb += [
            core.samples.valid.eq(decoder.samples.valid | (link.samples.valid & ~running) | flush),
            core.samples.payload.eq(offered),
            decoder.samples.ready.eq(core.samples.ready),
            link.samples.ready.eq(core.samples.ready & ~decoder.samples.valid & ~running),
            core.discard.eq((link.discard & ~running) | discard),
            core.restart.eq(link.restart),
            decoder.drop.eq(core.discard | link.restart),
            link.results_waiting.eq(core.results_waiting),
            link.events.eq(core.events),
            compressed.accepted.eq(accepted & ~running),
            compressed.settled.eq(decoder.settled),
        ]
        wiring.connect(m, wiring.flipped(core.results), wiring.flipped(link.results))
        wiring.connect(m, wiring.flipped(link.commands), access.commands)
        wiring.connect(m, access.answers, wiring.flipped(link.answers))
        wiring.connect(m, access.core_commands, wiring.flipped(core.commands))
        wiring.connect(m, wiring.flipped(core.answers), access.core_answers)
        wiring.connect(m, access.palette_commands, decoder.commands)
        wiring.connect(m, decoder.answers, access.palette_answers)
        if store is None:
            wiring.connect(m, wiring.flipped(compressed.words), decoder.words)
            return m

        m.submodules.store = store
        if hasattr(self, "sdram"):
            wiring.connect(m, store.sdram, wiring.flipped(self.sdram))
        wiring.connect(m, wiring.flipped(self.runs), store.runs)
        wiring.connect(m, access.store_commands, store.commands)
        wiring.connect(m, store.answers, access.store_answers)
        with m.If(flush):
            m.d.comb += core.samples.payload.kind.eq(SampleKind.FLUSH)
        m.d.comb += [
            decoder.words.valid.eq(Mux(running, store.words.valid, compressed.words.valid)),
            decoder.words.payload.eq(Mux(running, store.words.payload.as_value(), compressed.words.payload.as_value())),
            store.words.ready.eq(decoder.words.ready & running),
            compressed.words.ready.eq(decoder.words.ready & ~running),
            store.decoding.eq(~decoder.between),
            store.accepted.eq(accepted),
            store.bad.eq(decoder.bad & running),
            store.flushed.eq(flush & core.samples.ready),
            store.drained.eq(core.drained),
            store.restart.eq(link.restart),
            flush.eq(store.flush & ~decoder.samples.valid),
            discard.eq(store.discard),
        ]
        return m


class RegionAccess(wiring.Component):
    """Passes the link's commands to the memory of their region: one at a time, in order, 4 cycles more for each.

    The memories are far from the link, and from one another: nothing goes from one side to the other in a cycle.

    Parameters
    ----------
    store : there is one

    Members
    -------
    commands : In(stream), answers : Out(stream)   of the link
    core_commands, palette_commands, store_commands : Out(stream)
    core_answers, palette_answers, store_answers : In(stream)
    closed : In(1)      every command is answered `not_drained`, and no memory sees it
    drained : In(1)     of the core, which has a look itself; else it is so for those of the others
    """

    commands: stream.Interface
    answers: stream.Interface
    core_commands: stream.Interface
    core_answers: stream.Interface
    palette_commands: stream.Interface
    palette_answers: stream.Interface
    store_commands: stream.Interface
    store_answers: stream.Interface
    closed: Signal
    drained: Signal

    def __init__(self, store: bool) -> None:
        self._regions = {"palette": PALETTE_REGION} | ({"store": STORE_REGION} if store else {})
        names = ("core", *self._regions)
        commands, answers = stream.Signature(CommandLayout()), stream.Signature(AnswerLayout())
        super().__init__(
            {
                "commands": In(commands),
                "answers": Out(answers),
                **{f"{name}_commands": Out(commands) for name in names},
                **{f"{name}_answers": In(answers) for name in names},
                "closed": In(1),
                "drained": In(1),
            }
        )
        self._memories = [(getattr(self, f"{name}_commands"), getattr(self, f"{name}_answers")) for name in names]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.skid = skid = Skid(CommandLayout())
        wiring.connect(m, wiring.flipped(self.commands), skid.i)
        command, incoming = Signal(CommandLayout()), skid.o.payload
        region = incoming.address[REGION_SHIFT:]
        answer = Signal(AnswerLayout(), reset_less=True)
        others = Cat(region == number for number in self._regions.values())
        chosen = Signal(len(self._memories))
        passes = Signal()
        ready = Signal()  # all memories but the core are
        drops = Signal()
        takes = Signal()
        refused = Signal()
        takers, givers = zip(*self._memories, strict=True)
        for here, taker, giver in zip(chosen, takers, givers, strict=True):
            m.d.comb += [
                taker.valid.eq(passes & here),
                taker.payload.eq(command),
                giver.ready.eq(drops | (here & takes)),
            ]
        m.d.sync += ready.eq(Cat(taker.ready for taker in takers[1:]).all())
        m.d.comb += self.answers.payload.eq(answer)
        m.d.comb += refused.eq(self.closed | (~chosen[0] & ~self.drained))
        with m.FSM():
            with m.State("Accept"):
                # The answer to a command that the link gave up comes before the next command is taken: all memories but
                # the core answer whatever happens, and are ready when they have.
                m.d.comb += [drops.eq(1), skid.o.ready.eq(ready)]
                m.d.sync += [command.eq(incoming), chosen.eq(Cat(~others.any(), others))]
                with m.If(skid.o.valid & skid.o.ready):
                    m.next = "Pass-On"
            with m.State("Pass-On"):
                m.d.comb += passes.eq(~refused)
                with m.If(refused):
                    m.d.sync += [answer.eq(0), answer.not_drained.eq(1)]
                    m.next = "Pass-Back"
                with m.Elif((chosen & Cat(taker.ready for taker in takers)).any()):
                    m.next = "Take"
            with m.State("Take"):
                m.d.comb += takes.eq(1)
                for here, giver in zip(chosen, givers, strict=True):
                    with m.If(here):
                        m.d.sync += answer.eq(giver.payload)
                        with m.If(giver.valid):
                            m.next = "Pass-Back"
            with m.State("Pass-Back"):
                m.d.comb += self.answers.valid.eq(1)
                with m.If(self.answers.ready):
                    m.next = "Accept"
        return m
