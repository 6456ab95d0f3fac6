"""A design of one's own around Presparse's core: a vibration sensor goes in, and what the machine does comes out.

    sensor ─ readings ─> FIFO ─> Windows ─ samples ─> Core ─ results ─> Winner ─> verdicts
                                  ModelLoader ─ commands ─┘ (a trained model, from a ROM, once after power-on)

`python embedded_core.py` trains the network, puts the model into the ROM, simulates the whole design clock cycle by
clock cycle in Amaranth's own simulator, and compares every score and every verdict with the model's, by equality.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Const, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator, SimulatorContext
from numpy.typing import NDArray

import presparse as ps
from presparse.contract.address_map import bias_address, edge_address, pack_biases, pack_edges
from presparse.contract.build import Build
from presparse.contract.wire import SampleKind
from presparse_hw.core.core import Core
from presparse_hw.core.ports import AnswerLayout, CommandLayout, ResultLayout, SampleLayout

CLASSES = ("quiet", "swaying", "rattling")
BUFFERED = 32
"""Readings that wait while a window is processed: the sensor cannot."""


def model_words(build: Build, model: ps.Model) -> Iterator[tuple[int, int]]:
    """(address, word) of everything that the core holds of a model."""
    for j, left, weights, biases in zip(build.junctions, model.left, model.weights, model.biases, strict=True):
        yield from enumerate(pack_edges(j, left, weights).tolist(), start=edge_address(j.index))
        yield from enumerate(pack_biases(j, biases).tolist(), start=bias_address(j.index))


class ModelLoader(wiring.Component):
    """Writes a model into the core, word by word from a ROM.

    Members
    -------
    commands : Out(stream), answers : In(stream)   to and from the core
    loaded : Out(1)   all is written
    """

    commands: stream.Interface
    answers: stream.Interface
    loaded: Signal

    def __init__(self, words: list[tuple[int, int]]) -> None:
        self._words = words
        super().__init__(
            {
                "commands": Out(stream.Signature(CommandLayout())),
                "answers": In(stream.Signature(AnswerLayout())),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = CommandLayout()
        entries = [layout.const({"address": a, "data": word, "write": 1}).as_bits() for a, word in self._words]
        m.submodules.rom = rom = Memory(shape=layout.size, depth=len(entries), init=entries)
        read = rom.read_port()
        m.d.comb += [self.commands.payload.as_value().eq(read.data), self.answers.ready.eq(1)]
        with m.FSM():
            with m.State("Fetch"):
                m.next = "Command"
            with m.State("Command"):
                m.d.comb += self.commands.valid.eq(1)
                with m.If(self.commands.ready):
                    m.next = "Answer"
            with m.State("Answer"), m.If(self.answers.valid):
                m.d.sync += read.addr.eq(read.addr + 1)
                m.next = "Fetch"
                with m.If(read.addr == len(entries) - 1):
                    m.next = "Loaded"
            with m.State("Loaded"):
                m.d.comb += self.loaded.eq(1)
        return m


class Windows(wiring.Component):
    """Cuts readings into samples of `length`, each to be predicted, with a flush behind it.

    The flush moves the sample through the pipeline although the next one is far away; a design whose samples come as
    fast as the core takes them needs none between them.

    Members
    -------
    enable : In(1)          readings are taken
    readings : In(stream)
    samples : Out(stream)   to the core
    """

    enable: Signal
    readings: stream.Interface
    samples: stream.Interface

    def __init__(self, build: Build) -> None:
        self._length = build.network.features
        layout = SampleLayout(build)
        width = build.network.formats.activation.width
        super().__init__(
            {
                "enable": In(1),
                "readings": In(stream.Signature(signed(width))),
                "samples": Out(stream.Signature(layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(range(self._length + 1))  # readings of this window that went on
        whole = count == self._length
        sample = self.samples.payload
        m.d.comb += [
            sample.features[0].eq(self.readings.payload),
            sample.kind.eq(SampleKind.PREDICT),
            self.samples.valid.eq(self.enable & self.readings.valid),
            self.readings.ready.eq(self.enable & self.samples.ready),
        ]
        with m.If(whole):
            m.d.comb += [sample.kind.eq(SampleKind.FLUSH), self.samples.valid.eq(1), self.readings.ready.eq(0)]
        with m.If(self.samples.valid & self.samples.ready):
            m.d.sync += count.eq(count + 1)
            with m.If(whole):
                m.d.sync += count.eq(0)
        return m


class Winner(wiring.Component):
    """The class with the largest score, the lowest if several are largest.

    Members
    -------
    results : In(stream)    from the core, a score per transfer
    verdicts : Out(stream)  {class, score}, the cycle after a result's last transfer
    """

    results: stream.Interface
    verdicts: stream.Interface

    def __init__(self, build: Build) -> None:
        if build.junctions[-1].group > 1:
            raise ValueError("scores must come one by one, and this build has several per transfer")
        self._classes, self._outputs = build.network.classes, build.network.layers[-1]
        score = signed(build.network.formats.output.width)
        self._verdict = data.StructLayout({"class_": range(self._classes), "score": score})
        super().__init__(
            {"results": In(stream.Signature(ResultLayout(build))), "verdicts": Out(stream.Signature(self._verdict))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place = Signal(range(self._outputs))  # the score's output neuron; those beyond the classes are padding
        first = Signal(init=1)
        best: data.View = self.verdicts.payload
        result = self.results.payload
        m.d.comb += self.results.ready.eq(~self.verdicts.valid)
        with m.If(self.verdicts.ready):
            m.d.sync += self.verdicts.valid.eq(0)
        with m.If(self.results.valid & self.results.ready):
            m.d.sync += [first.eq(result.last), place.eq(place + 1), self.verdicts.valid.eq(result.last)]
            with m.If(result.last):
                m.d.sync += place.eq(0)
            with m.If(first | ((place < self._classes) & (result.scores[0] > best.score))):
                m.d.sync += [best.class_.eq(place), best.score.eq(result.scores[0])]
        return m


class Detector(wiring.Component):
    """The whole design. One clock; no reset: state starts from its initial values.

    Members
    -------
    readings : In(stream)   of the sensor, in the network's activation format: 10 bits, 8 of them fraction
    verdicts : Out(stream)  {class_, score} of every window
    """

    readings: stream.Interface
    verdicts: stream.Interface

    def __init__(self, build: Build, words: list[tuple[int, int]]) -> None:
        self.core = Core(build)
        self._windows, self._winner, self._loader = Windows(build), Winner(build), ModelLoader(words)
        super().__init__(
            {
                "readings": In(self._windows.readings.signature.flip()),
                "verdicts": Out(self._winner.verdicts.signature),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = self.core
        m.submodules.loader = loader = self._loader
        m.submodules.windows = windows = self._windows
        m.submodules.winner = winner = self._winner
        m.submodules.fifo = fifo = SyncFIFO(width=len(self.readings.payload), depth=BUFFERED)
        wiring.connect(m, loader.commands, core.commands)
        wiring.connect(m, core.answers, loader.answers)
        wiring.connect(m, windows.samples, core.samples)
        wiring.connect(m, core.results, winner.results)
        wiring.connect(m, winner.verdicts, wiring.flipped(self.verdicts))
        m.d.comb += [
            fifo.w_data.eq(self.readings.payload),
            fifo.w_en.eq(self.readings.valid),
            self.readings.ready.eq(fifo.w_rdy),
            windows.readings.payload.eq(fifo.r_data),
            windows.readings.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(windows.readings.ready),
            windows.enable.eq(loader.loaded),
            core.discard.eq(Const(0)),
            core.restart.eq(Const(0)),
        ]
        return m


def windows_of(count: int, seed: int, one: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Windows (count, 16) as the sensor measures them, multiples of 1 / `one`, and their classes (count,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(CLASSES), size=count)
    frequency = np.choose(labels, [0.0, 0.06, 0.3])[:, None] * rng.uniform(0.8, 1.2, size=(count, 1))
    phase = rng.uniform(0, 2 * np.pi, size=(count, 1))
    motion = 0.8 * np.sin(2 * np.pi * frequency * np.arange(16) + phase) * (labels > 0)[:, None]
    measured = motion + rng.normal(0, 0.05, size=motion.shape)
    return np.round(measured * one) / one, labels


@dataclass(frozen=True)
class Simulated:
    """What came out of the design."""

    scores: NDArray[np.int64]
    """(k, N_L), in the output format."""
    verdicts: NDArray[np.int64]
    """(k, 2): class, score."""
    cycles: NDArray[np.int64]
    """(k,) from a window's last reading, as the sensor gives it, to its verdict."""


def simulate(build: Build, words: list[tuple[int, int]], readings: NDArray[np.int64], pause: int) -> Simulated:
    """Feed windows (k, 16) of readings, one reading every `pause` + 1 cycles, and collect all that comes out."""
    detector = Detector(build, words)
    results = detector.core.results
    ends: list[int] = []
    scores: list[list[int]] = []
    verdicts: list[tuple[int, int, int]] = []  # class, score, when

    async def feed(ctx: SimulatorContext) -> None:
        for reading in readings.reshape(-1).tolist():
            await ctx.tick().repeat(pause)
            ctx.set(detector.readings.payload, reading)
            ctx.set(detector.readings.valid, 1)
            await ctx.tick().until(detector.readings.ready)
            ctx.set(detector.readings.valid, 0)

    async def take(ctx: SimulatorContext) -> None:
        ctx.set(detector.verdicts.ready, 1)
        while len(verdicts) < len(readings):
            await ctx.tick()

    async def watch(ctx: SimulatorContext) -> None:
        moves = [port.valid & port.ready for port in (detector.readings, results, detector.verdicts)]
        taken = cycle = 0
        async for *_, read, scored, decided, result, verdict in ctx.tick().sample(
            *moves, results.payload, detector.verdicts.payload
        ):
            cycle += 1
            taken += read
            if read and taken % readings.shape[1] == 0:
                ends.append(cycle)
            if scored:
                scores.append(list(result.scores))
            if decided:
                verdicts.append((verdict.class_, verdict.score, cycle))

    simulator = Simulator(detector)
    simulator.add_clock(1e-8)
    simulator.add_testbench(feed)
    simulator.add_testbench(take)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    came = np.array(verdicts)
    return Simulated(np.array(scores).reshape(len(readings), -1), came[:, :2], came[:, 2] - np.array(ends))


def main() -> int:
    """Exit status 0 if everything is equal."""
    network = ps.Network.load(Path(__file__).with_name("network.toml"))
    build = Build(network=network, mode="infer")
    one = network.formats.activation.one
    X, y = windows_of(1500, 0, one)
    # Readings go into the core as they are, so training must not scale them either.
    model = ps.train.fit(network, X, y, scale="none", epochs=10)

    X, y = windows_of(16, 1, one)
    found = simulate(build, list(model_words(build, model)), np.round(X * one).astype(np.int64), pause=40)
    raw = model.raw_outputs(X)
    scores_equal = int((found.scores == raw).all(axis=1).sum())
    expected = np.column_stack([model.predict(X), raw[:, : network.classes].max(axis=1)])
    verdicts_equal = int((found.verdicts == expected).all(axis=1).sum())
    right = int((found.verdicts[:, 0] == y).sum())
    print(f"scores: {scores_equal} of {len(X)} windows equal the model's")
    print(f"verdicts: {verdicts_equal} of {len(X)} equal the model's; {right} are right")
    print(f"from a window's last reading to its verdict: {found.cycles[-1]} cycles")
    return 0 if scores_equal == verdicts_equal == len(X) else 1


if __name__ == "__main__":
    sys.exit(main())
