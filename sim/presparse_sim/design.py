"""What is simulated: an Amaranth component, what identifies it, and the harness that drives it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from amaranth.lib import wiring

from presparse.contract.build import Build
from presparse_hw.store.sdram.chip import IS42S16160, Sdram
from presparse_sim.verilog import to_verilog

PINS_DIVISOR = 25
"""Clock cycles per bit at the pins (the same in harness/pins.cpp): 3 Mbaud at 75 MHz."""

SDRAM_HZ = 120e6
"""The clock that an SDRAM's times are counted in."""
_LEAST_CHIP = 17
"""log2 of the words of the smallest SDRAM that its test takes."""

_HERE = Path(__file__).parent
_SUFFIXES = (".py", ".cpp", ".hpp", ".v")


@dataclass(frozen=True, kw_only=True)
class Design:
    """A component with one clock, and the C++ harness that drives its ports."""

    name: str
    identity: str
    """Everything besides `sources` that shapes the component."""
    sources: tuple[Path, ...]
    """Files and folders of Python, C++ and Verilog that the component, its models and its harness come from."""
    harness: Path
    component: Callable[[], wiring.Component]
    """Called only when the design has to be compiled."""
    translate: Callable[[wiring.Component], str] = to_verilog
    """Verilog of module `top` with port `clk`, and a port `stream_payload` for a member `stream.payload`."""
    vectorized: bool = True
    """Whether equal modules become vectors (`presparse_sim.vectorization`); their Verilog is that of `to_verilog`."""
    models: tuple[Path, ...] = ()
    """Verilog of the modules that the translation instantiates but does not define (also one of `sources`)."""
    include: tuple[Path, ...] = ()
    """Folders of files that the models include."""
    sdram: Sdram | None = None
    """What is at its pads, if it has some."""
    optimization: str = "-O3"
    """Of g++: how fast the simulation runs against how fast it compiles."""

    @cached_property
    def key(self) -> str:
        """SHA-256 over identity and source texts: cheap, nothing is elaborated."""
        digest = hashlib.sha256(f"{self.name}\0{self.identity}\0{self.harness.name}\0{self.vectorized}\0".encode())
        for path in _files(self.sources):
            digest.update(f"{path.name}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def core_design(build: Build) -> Design:
    """The core alone (`presparse_hw.core.core.Core`)."""

    def component() -> wiring.Component:
        from presparse_hw.core.core import Core

        return Core(build)

    return Design(
        name="core",
        identity=build.hash,
        sources=gateware_sources(),
        harness=_HERE / "harness" / "core.cpp",
        component=component,
    )


def board_design(build: Build) -> Design:
    """Core and link (`presparse_hw.accelerator.Accelerator`), with a byte stream each way."""

    def component() -> wiring.Component:
        from presparse_hw.accelerator import Accelerator

        return Accelerator(build, sdram=simulated_sdram(build))

    return Design(
        name="board",
        identity=build.hash,
        sources=gateware_sources(),
        harness=_HERE / "harness" / "board.cpp",
        component=component,
        sdram=simulated_sdram(build),
    )


def pins_design(build: Build) -> Design:
    """The same behind its UART (`presparse_hw.accelerator.UartAccelerator`), with nothing but its two pins."""

    def component() -> wiring.Component:
        from presparse_hw.accelerator import UartAccelerator

        return UartAccelerator(build, PINS_DIVISOR, sdram=simulated_sdram(build))

    return Design(
        name="pins",
        identity=build.hash,
        sources=gateware_sources(),
        harness=_HERE / "harness" / "pins.cpp",
        component=component,
        sdram=simulated_sdram(build),
    )


def simulated_sdram(build: Build) -> Sdram | None:
    """A chip of the size that a build's store needs, at `SDRAM_HZ`; of one in block RAM, none.

    Its times are those of the usual chips of 32 MB.
    """
    if build.store is None or build.store.memory != "sdram":
        return None
    bits = max(_LEAST_CHIP, (build.store.words - 1).bit_length())
    columns = max(8, bits - 15)
    chip = replace(IS42S16160, name="a chip as large as the store", rows=bits - columns - 2, columns=columns)
    return Sdram(chip=chip, clock_hz=SDRAM_HZ)


def gateware_sources() -> tuple[Path, ...]:
    """Gateware, contract, and the simulator's own files: whatever a compiled design can depend on."""
    own = (*sorted(_HERE.glob("*.py")), _HERE / "harness", _HERE / "vectorization", _HERE / "cells", _HERE / "chips")
    return (*package("presparse_hw"), *package("presparse.contract"), *own)


def package(name: str) -> tuple[Path, ...]:
    """The folders of an importable package, without importing it (its parents are imported)."""
    spec = importlib.util.find_spec(name)
    return tuple(Path(p) for p in (spec.submodule_search_locations or ())) if spec else ()


def _files(sources: Iterable[Path]) -> list[Path]:
    found = []
    for source in sources:
        found += [source] if source.is_file() else (p for p in source.rglob("*") if p.suffix in _SUFFIXES)
    return sorted(found)
