"""From a design to native code, a shared library in this process or a program: compiled in parallel, kept in the
cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from presparse.support.cache import Cache
from presparse.support.child_processes import ChildProcesses
from presparse.support.processors import processors
from presparse_sim.design import Design
from presparse_sim.errors import CompileError, SimulationError
from presparse_sim.toolchain import Toolchain, find_toolchain
from presparse_sim.vectorization.rewriting import vectorize

Progress = Callable[[str], None]
"""Receives the name of each stage of a compile (5 to 60 s in all) as it begins."""

_VERILATOR_FLAGS = (
    *("--cc", "-O3", "--prefix", "Vtop", "--top-module", "top"),
    *("--x-assign", "fast", "--x-initial", "fast", "--noassert"),
    *("-Wno-fatal", "-Wno-lint", "-Werror-ALWNEVER", "-Werror-USERFATAL", "--quiet"),
    *("--inline-mult", "600"),  # shared modules stay functions, small ones are put in line
    *("--output-split", "20000", "--output-split-cfuncs", "5000"),
)
_GXX_FLAGS = (
    *("-march=native", "-std=c++20", "-DVL_TIME_CONTEXT"),
    # One library, called through few C functions: nothing else needs to be visible or replaceable.
    *("-fPIC", "-fvisibility=hidden", "-fno-semantic-interposition"),
)
_HEADER = "runtime.hpp"
"""Precompiled: Verilator's headers alone take 0.7 s per C++ file."""
_BYTES_PER_UNIT = 40_000
"""Generated C++ that is worth a compiler process of its own."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """What a design is compiled to, and the options that make it so."""

    name: str
    """Of the file."""
    verilator: tuple[str, ...] = ()
    gxx: tuple[str, ...] = ()
    link: tuple[str, ...]
    vectorized: bool = False
    """Whether designs may lose names inside for speed. With a trace they never do."""
    runtime: tuple[str, ...] = ("verilated", "verilated_threads")
    """Verilator's own C++ files that it needs."""


_LIBRARY = Product(name="simulation.so", link=("-shared",), vectorized=True)
_COVERED = replace(
    _LIBRARY,
    vectorized=False,
    verilator=("--coverage-line", "--coverage-toggle", "--coverage-underscore"),
    gxx=("-DVM_COVERAGE=1",),
    runtime=(*_LIBRARY.runtime, "verilated_cov"),
)
"""Counts which lines are executed and which bits change."""


def load_library(
    design: Design, *, trace: bool = False, coverage: bool = False, progress: Progress = lambda stage: None
) -> ctypes.CDLL:
    """The design's library; compiled if no process has done so before with these sources and tools.

    Raises ToolMissing, CacheError, CompileError.
    """
    path = compiled(design, _COVERED if coverage else _LIBRARY, trace=trace, progress=progress)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        Cache("simulation").discard(path.parent.name)  # intact, and yet useless: begin anew next time
        raise CompileError(f"the compiled simulation cannot be loaded: {error}; try again") from error


def compiled(design: Design, product: Product, *, trace: bool = False, progress: Progress = lambda stage: None) -> Path:
    """The file that a design is compiled to; made if no process has done so before with these sources and tools.

    Raises ToolMissing, CacheError, CompileError.
    """
    toolchain = find_toolchain()
    cache = Cache("simulation")
    flags = [design.optimization, *_GXX_FLAGS, f"-DVM_TRACE={int(trace)}", *product.gxx]
    options = (*_VERILATOR_FLAGS, *product.verilator, *flags, *product.link)
    key = f"{design.name}-{_hash(design.key, *toolchain.fingerprint, *options)}"
    entry = cache.fetch(
        key,
        lambda folder: _Compiler(toolchain, cache, product, flags, trace, progress).compile(design, folder),
        waiting=lambda: progress("waiting for another process that compiles the same design"),
    )
    return entry / product.name


def output_file(path: str | Path | None) -> bytes | None:
    """The path of a trace or of coverage as a harness takes it; the file is begun.

    Raises SimulationError if it cannot be written.
    """
    if path is None:
        return None
    try:
        Path(path).write_bytes(b"")
    except OSError as error:
        raise SimulationError(f"{path}: cannot be written ({error.strerror}); choose another file") from error
    return os.fsencode(path)


class _Compiler:
    """One run of Yosys, Verilator and several g++."""

    def __init__(
        self,
        toolchain: Toolchain,
        cache: Cache,
        product: Product,
        flags: Sequence[str],
        trace: bool,
        progress: Progress,
    ) -> None:
        self.toolchain = toolchain
        self.cache = cache
        self.product = product
        self.trace = trace
        self.progress = progress
        self.flags = [*flags, f"-I{toolchain.include}", f"-I{toolchain.include / 'vltstd'}"]
        self.jobs = processors()
        self.children = ChildProcesses()

    def compile(self, design: Design, folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        # The compilers end first, and the threads then have nothing left to wait for.
        with ThreadPoolExecutor(self.jobs) as pool, self.children:
            runtime_ready = pool.submit(self.runtime)
            self.progress("translating to Verilog")
            verilog = design.translate(design.component())
            if self.product.vectorized and design.vectorized and not self.trace:
                verilog = vectorize(verilog)
            (work / "top.v").write_text(verilog)
            self.progress("translating to C++")
            self.verilate(work, design)
            units = self.units(work, design.harness)
            runtime = runtime_ready.result()
            self.progress(f"compiling C++ ({len(units)} parts)")
            objects = list(pool.map(lambda unit: self.compile_unit(unit, work, runtime), units))
            self.progress("linking")
            self.gxx(work, *objects, *runtime.glob("*.o"), *self.product.link, "-o", folder / self.product.name)
        shutil.rmtree(work)

    def runtime(self) -> Path:
        """Verilator's own C++, compiled once for all designs."""
        key = f"runtime-{_hash(*self.toolchain.fingerprint, *self.flags, *self.product.runtime)}"
        return self.cache.fetch(key, self.make_runtime)

    def make_runtime(self, folder: Path) -> None:
        self.progress("compiling Verilator's runtime (once)")
        header = folder / _HEADER
        header.write_text('#include "verilated.h"\n')
        jobs = [[header, "-x", "c++-header", "-o", f"{header}.gch"]]
        for name in (*self.product.runtime, *(["verilated_vcd_c"] if self.trace else [])):
            jobs.append(["-c", self.toolchain.include / f"{name}.cpp", "-o", folder / f"{name}.o"])
        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(lambda job: self.gxx(folder, *job), jobs))

    def verilate(self, work: Path, design: Design) -> None:
        command = [self.toolchain.verilator, *_VERILATOR_FLAGS, *self.product.verilator]
        command += ["--trace-vcd"] if self.trace else []
        command += ["--Mdir", work, work / "top.v", *design.models, *(f"-I{folder}" for folder in design.include)]
        self.run(work, command)

    def units(self, work: Path, harness: Path) -> list[Path]:
        """The harness and all generated C++, put together to about equal parts, at most one per processor."""
        sizes = {path: path.stat().st_size for path in sorted(work.glob("*.cpp"))}
        count = min(self.jobs, 1 + sum(sizes.values()) // _BYTES_PER_UNIT)
        parts: list[list[Path]] = [[] for _ in range(count)]
        for path in sorted(sizes, key=sizes.__getitem__, reverse=True):
            min(parts, key=lambda part: sum(sizes[p] for p in part)).append(path)
        parts[-1].append(harness)
        units = []
        for index, part in enumerate(parts):
            unit = work / f"unit{index}.cc"
            unit.write_text("".join(f'#include "{path}"\n' for path in part))
            units.append(unit)
        return units

    def compile_unit(self, unit: Path, work: Path, runtime: Path) -> Path:
        result = unit.with_suffix(".o")
        self.gxx(work, f"-I{work}", "-include", runtime / _HEADER, "-c", unit, "-o", result)
        return result

    def gxx(self, work: Path, *arguments: str | Path) -> None:
        self.run(work, [self.toolchain.gxx, *self.flags, *arguments])

    def run(self, work: Path, command: Sequence[str | Path]) -> None:
        """In the folder `work`, for temporary files, too; in English, in which the cache knows a full disk."""
        own = {"VERILATOR_ROOT": str(self.toolchain.verilator_root), "TMPDIR": str(work), "LC_ALL": "C"}
        status, said = self.children.listen(command, folder=work, env={**os.environ, **own})
        if status:
            words = "\n".join(said.strip().splitlines()[:20])
            raise CompileError(f"{Path(command[0]).name} ended with status {status}: {words}")


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
