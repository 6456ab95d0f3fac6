"""The sample store whole: between the link and the core, it feeds stored samples or lets the link's through."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetInserter
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.core.ports import CoreSignature, SampleLayout
from presparse_hw.lib.delays import later
from presparse_hw.lib.skid import Skid
from presparse_hw.store.player import Player, StepLayout
from presparse_hw.store.ports import RunSignature
from presparse_hw.store.store_access import StoreAccess
from presparse_hw.store.stored_samples import FETCH_LATENCY, StoredSamples, store_of


class FedLayout(data.StructLayout):
    """A transfer for the core, and whether it is its sample's last or a flush."""

    def __init__(self, build: Build) -> None:
        super().__init__({"sample": SampleLayout(build), "final": 1, "flush": 1})


class SampleStore(wiring.Component):
    """Stands in for the core towards the link, and adds the store's regions and runs.

        control ──> Player ──steps──> StoredSamples ──> Skid ──┐
        commands ─> StoreAccess ──────^   └─────────────────> samples ──> core
        samples (of the link, while no run is on) ─────────────┘

    During a run the link's samples wait, its memory access is answered `not_drained`, `drained` is low, and `discard`
    is kept from the core, whose half-received sample is the run's. A restart ends the run; memories stay.

    Members
    -------
    link : Out        the core's ports, for the link
    control : Out     runs
    core : In         the core's ports
    """

    link: wiring.PureInterface
    control: wiring.PureInterface
    core: wiring.PureInterface

    def __init__(self, build: Build) -> None:
        self._build = build
        super().__init__(
            {"link": Out(CoreSignature(build)), "control": Out(RunSignature()), "core": In(CoreSignature(build))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link, core, control = self.link, self.core, self.control
        running = control.running
        m.submodules.access = access = ResetInserter(link.discard | link.restart)(StoreAccess(self._build))
        m.submodules.player = player = ResetInserter(link.restart)(Player(self._build))
        m.submodules.skid = skid = ResetInserter(link.restart)(Skid(FedLayout(self._build)))
        self._fetch(m, player, access, skid)
        fed = skid.o.payload

        wiring.connect(m, wiring.flipped(link.commands), access.commands)
        wiring.connect(m, access.answers, wiring.flipped(link.answers))
        wiring.connect(m, access.core_commands, wiring.flipped(core.commands))
        wiring.connect(m, wiring.flipped(core.answers), access.core_answers)
        wiring.connect(m, wiring.flipped(core.results), wiring.flipped(link.results))
        sent = skid.o.valid & skid.o.ready
        m.d.comb += [
            core.samples.valid.eq(Mux(running, skid.o.valid, link.samples.valid)),
            core.samples.payload.eq(Mux(running, fed.sample.as_value(), link.samples.payload.as_value())),
            link.samples.ready.eq(core.samples.ready & ~running),
            skid.o.ready.eq(core.samples.ready & running),
            link.events.eq(core.events),
            link.results_waiting.eq(core.results_waiting),
            link.drained.eq(core.drained & ~running),
            core.discard.eq(link.discard & ~running),
            core.restart.eq(link.restart),
            access.drained.eq(core.drained),
            access.running.eq(running),
            player.start.eq(control.start),
            player.run.eq(control.run),
            player.stop.eq(control.stop),
            player.flushed.eq(sent & fed.flush),
            player.drained.eq(core.drained),
            running.eq(player.running),
            control.accepted.eq(sent & fed.final),
        ]
        with m.If(link.restart):
            m.d.sync += [control.fed.eq(0), control.runs.eq(0)]
        with m.Elif(control.start):
            m.d.sync += [control.fed.eq(0), control.runs.eq(control.runs + 1)]
        with m.Elif(control.accepted):
            m.d.sync += control.fed.eq(control.fed + 1)
        return m

    def _fetch(self, m: Module, player: Player, access: StoreAccess, skid: Skid) -> None:
        """Steps become transfers, 1 + `FETCH_LATENCY` cycles later; all of them wait while the skid is full.

        Places and the host's words go through a register: the memories are far apart.
        """
        move = skid.i.ready
        m.submodules.stored = stored = StoredSamples(self._build)
        # `move` has a long way through the memories, so that the player gets a `ready` of its own.
        m.submodules.steps = steps = ResetInserter(self.link.restart)(Skid(StepLayout(self._build)))
        wiring.connect(m, player.steps, steps.i)
        running, run, step = self.control.running, self.control.run, steps.o
        valid = later(m, step.valid, 1 + FETCH_LATENCY, move, name="valid", reset=True)
        mark = later(m, step.payload.mark, 1 + FETCH_LATENCY, move, name="mark")
        place = Mux(running, step.payload.place.as_value(), access.place.as_value())
        m.d.sync += stored.write.eq(access.write)
        with m.If(move):
            m.d.sync += stored.place.eq(place)
        m.d.comb += [
            stored.move.eq(move),
            step.ready.eq(move),
            stored.part.eq(access.part),
            stored.code.eq(access.code),
            stored.by_host.eq(~running),
            access.feature_word.eq(stored.feature_word),
            access.label_word.eq(stored.label_word),
            access.palette_word.eq(stored.palette_word),
        ]
        transfer = skid.i.payload
        m.d.comb += [
            skid.i.valid.eq(valid),
            transfer.flush.eq(mark.flush),
            transfer.final.eq(mark.final),
            transfer.sample.kind.eq(Mux(mark.flush, SampleKind.FLUSH, run.kind)),
            transfer.sample.rate.eq(run.rate),
            transfer.sample.label.eq(stored.label),
        ]
        store = store_of(self._build)
        stored_in_tail = store.features - (store.transfers - 1) * store.port
        for column, value in enumerate(stored.features):
            behind = mark.padding | mark.tail if column >= stored_in_tail else mark.padding
            m.d.comb += transfer.sample.features[column].eq(Mux(behind, 0, value))
