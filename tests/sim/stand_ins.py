"""Small designs with the ports of the real ones, so that the simulator is tested for itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

import presparse_sim
from presparse.contract.address_map import bias_address, bias_words, edge_address, edge_words
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.wire import SampleKind
from presparse_hw.core.ports import CoreSignature
from presparse_hw.store.sdram.chip import MT48LC16M16A2, Sdram
from presparse_hw.store.sdram.ports import SdramPadSignature
from presparse_sim.design import Design

_SIMULATOR = Path(presparse_sim.__file__).parent

HANG, UNEXPECTED_RESULT, WRONG_LAST, UNSTABLE, NEVER_DRAINED, UNEXPECTED_ANSWER = range(1, 7)
"""Faults of `ChecksumCore`, by the word written to address 0."""


def small_build() -> Build:
    """One junction: 12 left neurons in transfers of 4, 8 right neurons in groups of 2."""
    network = Network(features=12, classes=8, layers=(12, 8), out_degree=(4,), lanes=(12,), activations=("sigmoid",))
    return Build(network=network, feature_port=4)


class ChecksumCore(wiring.Component):
    """A core with one junction that does not learn, but shows every bit it was given.

    acc <- 5 acc + 4 (sum of (i + 1) feature_i) + kind + 16 rate + label, per transfer, modulo 2^32. A predicted
    sample's score j is the low bits of acc + bias word j; it is sent when the next sample or flush has come.
    Training adds acc to bias word `label`.
    """

    samples: stream.Interface
    results: stream.Interface
    commands: stream.Interface
    answers: stream.Interface
    events: data.View
    drained: Signal
    restart: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        super().__init__(CoreSignature(build))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        build, junction = self._build, self._build.junctions[0]
        transfers = build.network.layers[0] // build.feature_port
        score = build.network.formats.output.width

        fault = Signal(3)
        acc = Signal(32)
        biases = Signal(data.ArrayLayout(32, junction.right))
        transfer = Signal(range(transfers))
        first = Signal(self.samples.payload.shape())
        header = Signal(self.samples.payload.shape())
        held = Signal(32)  # checksum of the prediction that is still in the "pipeline"
        holding, sending = Signal(), Signal()
        step = Signal(range(junction.steps))
        in_flight = Signal()

        sample = self.samples.payload
        flush = sample.kind == SampleKind.FLUSH
        total = Signal(signed(32))
        m.d.comb += [
            header.eq(Mux(transfer == 0, sample, first)),
            self.samples.ready.eq(~sending & (fault != HANG)),
            total.eq(sum((i + 1) * f for i, f in enumerate(sample.features))),
            self.drained.eq(~in_flight & (fault != NEVER_DRAINED)),
        ]
        following = Signal(32)
        m.d.comb += following.eq(5 * acc + 4 * total + header.kind + 16 * header.rate + header.label)
        with m.If(self.samples.valid & self.samples.ready):
            m.d.sync += in_flight.eq(1)
            with m.If((transfer == 0) & holding):
                m.d.sync += [sending.eq(1), holding.eq(0)]
            with m.If((transfer == 0) & flush):
                m.d.sync += in_flight.eq(holding)
            with m.Else():
                m.d.sync += [first.eq(header), acc.eq(following), transfer.eq(transfer + 1)]
                with m.If(transfer == transfers - 1):
                    m.d.sync += transfer.eq(0)
                    with m.If(header.kind == SampleKind.PREDICT):
                        m.d.sync += [holding.eq(1), held.eq(following)]
                    with m.If(header.kind == SampleKind.TRAIN):
                        m.d.sync += biases[header.label].eq(biases[header.label] + following)

        # What is sent was computed before the next sample changed anything.
        result = Signal(data.ArrayLayout(score, junction.right))
        with m.If(~sending):
            m.d.sync += Cat(*result).eq(Cat(*((held + bias)[:score] for bias in biases)))
        with m.If(sending & self.results.valid & self.results.ready):
            m.d.sync += step.eq(step + 1)
            with m.If(step == junction.steps - 1):
                m.d.sync += [step.eq(0), sending.eq(0)]
                with m.If(~holding & (transfer == 0)):
                    m.d.sync += in_flight.eq(0)
        wobble = Signal()
        m.d.sync += wobble.eq(~wobble & (fault == UNSTABLE))
        m.d.comb += [
            self.results.valid.eq(sending | (fault == UNEXPECTED_RESULT)),
            self.results.payload.last.eq((step == junction.steps - 1) & (fault != WRONG_LAST)),
        ]
        for i, value in enumerate(self.results.payload.scores):
            number = (step * junction.group + i)[: junction.right.bit_length()]
            m.d.comb += value.eq(data.View(result.shape(), result)[number] ^ wobble)

        self._access(m, fault, biases)
        taken = self.samples.valid & self.samples.ready & (transfer == 0)
        m.d.comb += [self.events.cycles.eq(1), self.events.blocks.eq(taken), self.events.saturated_delta.eq(-1)]
        with m.If(self.restart):
            m.d.sync += [acc.eq(0), transfer.eq(0), holding.eq(0), sending.eq(0), step.eq(0), in_flight.eq(0)]
        return m

    def _access(self, m: Module, fault: Signal, biases: data.View) -> None:
        """One command at a time: edges in a memory, biases in registers, the fault at address 0."""
        junction = self._build.junctions[0]
        m.submodules.edges = edges = Memory(shape=32, depth=edge_words(junction), init=[])
        write, read = edges.write_port(), edges.read_port()
        command, answer = self.commands.payload, self.answers.payload
        offset = command.address[:24]
        is_edge = (command.address[24:] == edge_address(1) >> 24) & (offset < edge_words(junction))
        is_bias = (command.address[24:] == bias_address(1) >> 24) & (offset < bias_words(junction))
        writing = self.commands.valid & self.commands.ready & command.write & self.drained
        bias = data.View(biases.shape(), biases)
        m.d.comb += [
            self.commands.ready.eq(~self.answers.valid),
            read.addr.eq(offset),
            write.addr.eq(offset),
            write.data.eq(command.data),
            write.en.eq(writing & is_edge),
        ]
        from_edges = Signal()
        word = Signal(32)
        busy = Signal()
        m.d.comb += [
            self.answers.valid.eq(busy | (fault == UNEXPECTED_ANSWER)),
            answer.data.eq(Mux(from_edges, read.data, word)),
        ]
        with m.If(self.answers.ready):
            m.d.sync += busy.eq(0)
        with m.If(self.commands.valid & self.commands.ready):
            m.d.sync += [
                busy.eq(1),
                from_edges.eq(is_edge & ~command.write & self.drained),
                word.eq(Mux(is_bias & ~command.write & self.drained, bias[offset[:3]], 0)),
                answer.bad_address.eq(~is_edge & ~is_bias & (command.address != 0)),
                answer.not_drained.eq(~self.drained),
            ]
        m.d.comb += read.en.eq(self.commands.valid & self.commands.ready)
        with m.If(writing & is_bias):
            m.d.sync += bias[offset[:3]].eq(command.data)
        with m.If(writing & (command.address == 0)):
            m.d.sync += fault.eq(command.data)


class Echo(wiring.Component):
    """Every byte comes back plus one, through a queue of 8."""

    i_bytes: stream.Interface
    o_bytes: stream.Interface

    def __init__(self) -> None:
        super().__init__({"i_bytes": In(stream.Signature(8)), "o_bytes": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=8, depth=8)
        wiring.connect(m, wiring.flipped(self.i_bytes), queue.w_stream)
        m.d.comb += [
            self.o_bytes.valid.eq(queue.r_stream.valid),
            self.o_bytes.payload.eq(queue.r_stream.payload + 1),
            queue.r_stream.ready.eq(self.o_bytes.ready),
        ]
        return m


def checksum_design(build: Build, *, identity: str = "") -> Design:
    return Design(
        name="checksum",
        identity=build.hash + identity,
        sources=(Path(__file__), _SIMULATOR),
        harness=_SIMULATOR / "harness" / "core.cpp",
        component=lambda: ChecksumCore(build),
    )


def echo_design(*, identity: str = "") -> Design:
    return Design(
        name="echo",
        identity=identity,
        sources=(Path(__file__), _SIMULATOR),
        harness=_SIMULATOR / "harness" / "board.cpp",
        component=Echo,
    )


class Impatient(wiring.Component):
    """Opens a row of its SDRAM in cycle 50, long before that may be done."""

    i_bytes: stream.Interface
    o_bytes: stream.Interface
    sdram: wiring.PureInterface

    def __init__(self) -> None:
        bytes_in, bytes_out = In(stream.Signature(8)), Out(stream.Signature(8))
        super().__init__({"i_bytes": bytes_in, "o_bytes": bytes_out, "sdram": Out(SdramPadSignature(SDRAM.chip))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cycle = Signal(8)
        m.d.sync += [cycle.eq(cycle + 1), self.sdram.cke.eq(1)]
        m.d.sync += [self.sdram.cs.eq(cycle == 49), self.sdram.ras.eq(cycle == 49)]
        return m


SDRAM = Sdram(chip=MT48LC16M16A2, clock_hz=100e6)


def impatient_design() -> Design:
    return replace(echo_design(), name="impatient", component=Impatient, sdram=SDRAM)
