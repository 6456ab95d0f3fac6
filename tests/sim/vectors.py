"""Small pieces of hardware, driven with one integer per clock cycle: cells, memories, multipliers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import presparse_sim
from presparse_sim.design import Design, package
from presparse_sim.library import load_library

_HARNESS = Path(__file__).with_name("vectors.cpp")


class Piece(wiring.Component):
    """`i` (`inputs` bits), `o` (`outputs` bits), and in between what `build(m, i, o)` adds to the module."""

    i: Signal
    o: Signal

    def __init__(self, inputs: int, outputs: int, build: Callable[[Module, Signal, Signal], None]) -> None:
        self._build = build
        super().__init__({"i": In(inputs), "o": Out(outputs)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._build(m, self.i, self.o)
        return m


def piece_design(
    name: str, inputs: int, outputs: int, build: Callable[[Module, Signal, Signal], None], source: str
) -> Design:
    """`source`: the file that `build` is in."""
    return Design(
        name=f"piece-{name}",
        identity=f"{inputs} {outputs}",
        sources=(
            *(Path(source), Path(__file__), _HARNESS, Path(presparse_sim.__file__).parent),
            *(*package("presparse_hw"), *package("presparse.contract"), *package("presparse_boards")),
        ),
        harness=_HARNESS,
        component=lambda: Piece(inputs, outputs, build),
        optimization="-O0",
    )


def run(design: Design, inputs: Sequence[int]) -> list[int]:
    """The value of `o` in each cycle, before the clock edge that ends it, from power-on."""
    library = load_library(design)
    for name in ("vectors_input_words", "vectors_output_words"):
        getattr(library, name).restype = ctypes.c_size_t
    width, depth = library.vectors_input_words(), library.vectors_output_words()
    library.vectors_run.argtypes = (ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)
    library.vectors_run.restype = None
    sent = np.frombuffer(b"".join(value.to_bytes(4 * width, "little") for value in inputs), dtype="<u4")
    got = np.zeros((len(inputs), depth), dtype="<u4")
    library.vectors_run(len(inputs), sent.ctypes.data, got.ctypes.data)
    return [int.from_bytes(row.tobytes(), "little") for row in got]


def field(value: int, low: int, width: int, *, signed: bool = False) -> int:
    """`width` bits of `value` from bit `low`."""
    bits = value >> low & ((1 << width) - 1)
    return bits - (bits >> (width - 1) << width) if signed else bits
