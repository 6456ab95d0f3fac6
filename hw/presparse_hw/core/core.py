"""The core: a whole network, from sample stream to results, with training going on at the same time.

    samples -> loader -> junction 1 -> ... -> junction L -> results
                 |          ^  deltas   <-   deltas  |
             controller     fetched by block          output deltas

Timing between the junctions is the contract's schedule; this file only connects.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring

from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.schedule import PROLOGUE
from presparse.contract.wire import SampleKind
from presparse_hw.core.argmax import ArgMax
from presparse_hw.core.controller import Controller
from presparse_hw.core.delta_sources import DeltaFetch, DeltaSource, OutputDelta
from presparse_hw.core.item import ItemLayout
from presparse_hw.core.junction import Junction
from presparse_hw.core.junction_ports import SlotLayout
from presparse_hw.core.loader import SampleLoader
from presparse_hw.core.memory_access import MemoryAccess
from presparse_hw.core.ports import RESTART, CoreSignature
from presparse_hw.core.results import ResultQueue
from presparse_hw.lib.delays import ages, delay
from presparse_hw.lib.sequencer import Launch


class Core(wiring.Component):
    """Trains and runs the network of a build. Ports: `CoreSignature`.

    One sample per `build.schedule.period` cycles in steady state; its results come
    `schedule.junctions[-1].forward` blocks and the output junction's latency later.
    """

    samples: stream.Interface
    results: stream.Interface
    commands: stream.Interface
    answers: stream.Interface
    events: data.View
    results_waiting: Signal
    drained: Signal
    discard: Signal
    restart: Signal

    def __init__(self, build: Build) -> None:
        self.build = build
        super().__init__(CoreSignature(build))

    def elaborate(self, platform: object) -> Module:
        build = self.build
        m = Module()
        m.submodules.loader = loader = SampleLoader(build)
        m.submodules.controller = controller = Controller(build)
        m.submodules.access = access = MemoryAccess(build)
        m.submodules.results = results = ResultQueue(build)
        m.submodules.argmax = argmax = ArgMax(build)
        junctions: list[Junction] = []
        for i in range(len(build.junctions)):
            left = junctions[-1].right if junctions else loader.left
            junctions.append(Junction(build, i, len(left.values)))
            m.submodules[f"junction{i + 1}"] = junctions[-1]

        self._feed(m, loader, controller, results)
        self._chain(m, loader, controller, junctions)
        starts = self._launch(m, controller, junctions)
        sources = self._deltas(m, junctions, starts, controller) if build.training else []
        self._conclude(m, junctions[-1], results, argmax)
        self._access(m, access, junctions)
        m.d.comb += controller.hold.eq(access.written | self._clear_stale_deltas(m, access.written, junctions))
        self._count(m, controller, argmax, junctions, sources)
        # From a register, of the next cycle's state: once all is still, only a transfer can change that.
        idle = loader.idle & controller.drained
        m.d.sync += self.drained.eq(idle & ~self.samples.valid)
        m.d.comb += access.drained.eq(self.drained)
        # From its own registers: all over the chip within a cycle of each. It stays on until what has no reset (lanes,
        # trees of adders, registers that are spread over the chip) has forgotten, as nothing new comes to it.
        _, *restarting = ages(m, self.restart, RESTART - 2, name="restarting")
        restart = Signal(reset_less=True)  # not by itself
        m.d.sync += restart.eq(Cat(restarting).any())
        return ResetInserter(restart)(m)

    def _feed(self, m: Module, loader: SampleLoader, controller: Controller, results: ResultQueue) -> None:
        wiring.connect(m, wiring.flipped(self.samples), loader.samples)
        wiring.connect(m, loader.items, controller.arriving)
        m.d.comb += [
            loader.discard.eq(self.discard),
            controller.result_room.eq(results.room),
            results.reserve.eq(controller.reserve),
        ]

    def _chain(self, m: Module, loader: SampleLoader, controller: Controller, junctions: list[Junction]) -> None:
        """Right activations of a junction are the left activations of the next."""
        # A register on the way: the loader stands beside the link, and the lanes are all over the chip.
        first = junctions[0].left
        m.d.comb += [
            first.write.eq(delay(m, loader.left.write, 1, name="loaded", reset=True)),
            junctions[0].left_slot.eq(delay(m, controller.left_slot, 1, name="left_slot1")),
        ]
        for i, (into, value) in enumerate(zip(first.values, loader.left.values, strict=True)):
            m.d.comb += into.eq(delay(m, value, 1, name=f"loaded{i}"))
        # From registers that are set by a restart of the core: no gate comes between them and the turns of all banks.
        # No value comes in the two cycles after a discard.
        restarts = [Signal(name=f"left_restart{i + 1}", init=1) for i in range(len(junctions))]
        m.d.sync += [restart.eq(0) for restart in restarts]
        m.d.sync += restarts[0].eq(delay(m, loader.left_restart, 1, name="left_restart", reset=True))
        m.d.comb += [junction.left_restart.eq(restart) for junction, restart in zip(junctions, restarts, strict=True)]
        plans = self.build.schedule.junctions
        for i in range(1, len(junctions)):
            before, after = junctions[i - 1], junctions[i]
            layout = SlotLayout(self.build, i)
            slot = Signal(layout, name=f"left_slot{i + 1}", init=layout.of_sample(-plans[i - 1].forward))
            with m.If(after.left_done):
                layout.move_on(m, slot)
            m.d.comb += [after.left.write.eq(before.right.valid), after.left_slot.eq(slot)]
            m.d.comb += [left.eq(right) for left, right in zip(after.left.values, before.right.values, strict=True)]

    def _launch(self, m: Module, controller: Controller, junctions: list[Junction]) -> list[Signal]:
        """Start every junction where its schedule says; returns the starts of delta fetch."""
        starts = []
        for i, (junction, plan) in enumerate(zip(junctions, self.build.schedule.junctions, strict=True)):
            m.submodules[f"launch{i + 1}"] = launch = Launch(plan.start)
            m.d.comb += launch.block.eq(controller.block)
            starts.append(launch.start)
            forward = controller.items[plan.forward]
            if not self.build.training:
                m.d.comb += [junction.start.eq(launch.start), junction.forward_item.eq(forward)]
                continue
            # Edges follow the fetch of their deltas; the items have moved on by then if T is short.
            items = Signal(data.ArrayLayout(ItemLayout(self.build), 2), name=f"items{i + 1}")
            with m.If(launch.start):
                m.d.sync += [items[0].eq(forward), items[1].eq(controller.items[plan.update])]
            m.d.comb += [
                junction.start.eq(delay(m, launch.start, PROLOGUE, name=f"edges{i + 1}", reset=True)),
                junction.forward_item.eq(items[0]),
                junction.update_item.eq(items[1]),
            ]
        return starts

    def _deltas(
        self, m: Module, junctions: list[Junction], starts: list[Signal], controller: Controller
    ) -> list[DeltaSource]:
        """The deltas of every junction's right neurons."""
        sources: list[DeltaSource] = []
        for i, junction in enumerate(junctions):
            if junction is junctions[-1]:
                source = OutputDelta(self.build, i)
            else:
                source = DeltaFetch(self.build, i)
                wiring.connect(m, source.sums, junctions[i + 1].sums)
            wiring.connect(m, junction.right, source.right)
            wiring.connect(m, source.deltas, junction.deltas)
            m.submodules[f"deltas{i + 1}"] = source
            m.d.comb += [
                source.start.eq(starts[i]),
                source.item.eq(controller.items[self.build.schedule.junctions[i].update]),
            ]
            sources.append(source)
        return sources

    def _conclude(self, m: Module, output: Junction, results: ResultQueue, argmax: ArgMax) -> None:
        """Scores of the output layer go to results and to the comparison with the label."""
        wiring.connect(m, results.results, wiring.flipped(self.results))
        m.d.comb += self.results_waiting.eq(results.waiting)
        wiring.connect(m, output.right, results.right, argmax.right)

    def _access(self, m: Module, access: MemoryAccess, junctions: list[Junction]) -> None:
        wiring.connect(m, wiring.flipped(self.commands), access.commands)
        wiring.connect(m, access.answers, wiring.flipped(self.answers))
        for junction, edges, biases in zip(junctions, access.edge_words, access.bias_words, strict=True):
            wiring.connect(m, edges, junction.edge_words)
            wiring.connect(m, biases, junction.bias_words)

    def _clear_stale_deltas(self, m: Module, written: Signal, junctions: list[Junction]) -> Signal:
        """Zero all delta sums after edges were loaded: a left neuron without edges must have delta 0, and the
        pattern before may have left something there. Returns a signal that is high until then."""
        stale = Signal(init=1)
        banks = junctions[1:] if self.build.training else []
        address = Signal(max((len(junction.clear.address) for junction in banks), default=0))
        clear = stale & ~self.drained  # a sample has come, so the host's access is over
        for junction in banks:
            m.d.comb += [junction.clear.write.eq(clear), junction.clear.address.eq(address)]
        with m.If(written):
            m.d.sync += [stale.eq(1), address.eq(0)]
        with m.Elif(clear):
            m.d.sync += address.eq(address + 1)
            with m.If(address.all()):
                m.d.sync += stale.eq(0)
        return stale

    def _count(
        self,
        m: Module,
        controller: Controller,
        argmax: ArgMax,
        junctions: list[Junction],
        sources: list[DeltaSource],
    ) -> None:
        kind = controller.items[0].kind
        events: dict[Counter, Value] = {
            "cycles": ~self.drained,
            "blocks": controller.block,
            "trained": controller.block & (kind == SampleKind.TRAIN),
            "predicted": controller.block & (kind == SampleKind.PREDICT),
            "evaluated": controller.block & (kind == SampleKind.EVALUATE),
            "correct": argmax.correct,
            "stalls_sample": controller.waiting_for_sample,
            "stalls_result": controller.waiting_for_room,
            "saturated_activation": sum((j.activation_saturations for j in junctions), Const(0)),
            "saturated_weight": Const(0),
            "saturated_delta": sum((s.saturations for s in sources), Const(0)),
        }
        if self.build.training:
            events["saturated_weight"] = sum((j.weight_saturations for j in junctions), Const(0))
        for name, value in events.items():
            m.d.sync += self.events[name].eq(value)
