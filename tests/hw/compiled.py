"""Runs the testbenches of Amaranth's simulator against a component that Verilator has compiled: tens of times as fast,
once it is compiled (a few seconds, kept in the cache)."""

from __future__ import annotations

import ctypes
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import wiring

from presparse_sim.library import load_library
from tests.sim.vectors import piece_design


@dataclass
class Tick:
    """What `await` waits for: so many rising edges, and what the named ports were just before the last of them."""

    ports: tuple[object, ...] = ()
    cycles: int = 1

    def sample(self, *ports: object) -> Tick:
        return Tick(ports, self.cycles)

    def repeat(self, cycles: int) -> Tick:
        return Tick(self.ports, cycles)

    def __await__(self) -> Generator[Tick, tuple[int, ...], tuple[int, ...]]:
        return (yield self)


Testbench = Callable[["CompiledContext"], Awaitable[None]]


@dataclass(frozen=True)
class _Place:
    """Of a port among the inputs or among the outputs."""

    is_input: bool
    offset: int
    shape: Any
    mask: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", (1 << Shape.cast(self.shape).width) - 1)


class CompiledContext:
    """`SimulatorContext`, as far as testbenches of whole components use it: `set`, and `tick` with `sample` and
    `repeat`. All that is set or sampled is a port. Inputs change after a rising edge."""

    def __init__(self, dut: wiring.Component, identity: str) -> None:
        ports: tuple[list[Value], list[Value]] = [], []
        offsets = [0, 0]
        self._inputs = 0
        self._places: dict[int, _Place] = {}
        for _, member, value in dut.signature.flatten(dut):
            bits, is_input = Value.cast(value), member.flow is wiring.In
            place = _Place(is_input, offsets[is_input], member.shape)
            self._places[id(value)] = self._places[id(bits)] = place
            if is_input:
                assert isinstance(bits, Signal)
                self._inputs |= (bits.init & place.mask) << place.offset
            ports[is_input].append(bits)
            offsets[is_input] += len(bits)

        def build(m: Module, i: Signal, o: Signal) -> None:
            m.submodules.dut = dut
            m.d.comb += [Cat(ports[True]).eq(i), o.eq(Cat(ports[False]))]

        design = piece_design(type(dut).__name__, offsets[True], offsets[False], build, __file__)
        library = load_library(replace(design, identity=f"{design.identity} {identity}"))
        self._step, self._close = library.vectors_step, library.vectors_close
        self._step.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        self._close.argtypes = (ctypes.c_void_p,)
        library.vectors_open.restype = ctypes.c_void_p
        self._sent = ctypes.create_string_buffer(4 * library.vectors_input_words())
        self._got = ctypes.create_string_buffer(4 * library.vectors_output_words())
        self._handle = library.vectors_open()
        self._sampled = 0, 0

    def set(self, port: object, value: object) -> None:
        place = self._places[id(port)]
        assert place.is_input
        bits = value if isinstance(value, int) else Const.cast(place.shape.const(value)).value
        self._inputs = self._inputs & ~(place.mask << place.offset) | (bits & place.mask) << place.offset

    def tick(self) -> Tick:
        return Tick()

    def step(self) -> None:
        """Let a cycle pass."""
        self._sent.raw = self._inputs.to_bytes(len(self._sent), "little")
        self._step(self._handle, self._sent, self._got)
        self._sampled = int.from_bytes(self._got.raw, "little"), self._inputs

    def get(self, port: object) -> int:
        """A port just before the last rising edge, as a number without sign."""
        place = self._places[id(port)]
        return self._sampled[place.is_input] >> place.offset & place.mask

    def close(self) -> None:
        self._close(self._handle)


def simulate(dut: wiring.Component, identity: str, testbench: Testbench, *background: Testbench) -> None:
    """Run `testbench` to its end; `background` processes run beside it, before it in each cycle.

    `identity`: everything that shapes the component, beside its source.
    """
    context = CompiledContext(dut, identity)
    try:
        processes = [_Process(bench(context), context) for bench in (*background, testbench)]
        while not processes[-1].ended:
            context.step()
            for process in processes:
                process.resume()
    finally:
        context.close()


class _Process:
    """A testbench that waits."""

    def __init__(self, bench: Awaitable[None], context: CompiledContext) -> None:
        self._steps, self._context = bench.__await__(), context
        self.ended = False
        self._go_on(None)

    def resume(self) -> None:
        """After a rising edge."""
        self._left -= 1
        if not (self._left or self.ended):
            self._go_on((1, 0, *map(self._context.get, self._wanted)))

    def _go_on(self, answer: tuple[int, ...] | None) -> None:
        try:
            tick = self._steps.send(answer)
        except StopIteration:
            self.ended = True
        else:
            self._wanted, self._left = tick.ports, tick.cycles
