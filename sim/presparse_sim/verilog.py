"""From an Amaranth component to Verilog: for Verilator, for Icarus, and for designs of other people."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth._toolchain import require_tool
from amaranth._toolchain.yosys import YosysError, find_yosys
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring

from presparse.support.child_processes import ChildProcesses
from presparse.support.scratch import scratch_folder
from presparse_sim.errors import CompileError, ToolMissing
from presparse_sim.sharing import share_modules

_YOSYS = (0, 40)
"""The oldest that Amaranth's RTLIL is for."""
_TO_VERILOG = "proc -nomux -norom; memory_collect"
"""As Amaranth has it."""
_ATTRIBUTES = "; ".join(
    f"{command} -remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding"
    for command in ("attrmap", "attrmap -modattr")
)
_RUN = re.compile(r"(?<=[{,] )([^,{}]+?)(?:, \1)+(?=,| \})")
"""Equal neighbors in a concatenation."""
_OWN_ATTRIBUTE = re.compile(r"^ *\(\* (?:generator|top|amaranth\.\w+) .*\*\)\n", re.MULTILINE)
"""Of modules and cells, which would differ between otherwise equal ones."""


def to_verilog(component: wiring.Component) -> str:
    """Verilog of module `top`: port `clk`, and a port `stream_payload` for a member `stream.payload`.

    The clock domain has no reset: state starts from its initial values, and the simulation saves a test of
    the reset in every register and cycle. Equal modules are one. Raises CompileError, ToolMissing.
    """
    text = _verilog(component, "top", f"{_TO_VERILOG}; {_ATTRIBUTES}; write_verilog -norename")
    return share_modules(_replicate(_run_always(text)))


def to_sourced_verilog(component: wiring.Component) -> str:
    """The same, and before what has one, the line of Python that it comes from, as an attribute `src`."""
    text = _verilog(component, "top", f"{_TO_VERILOG}; write_verilog -norename", emit_src=True)
    return share_modules(_OWN_ATTRIBUTE.sub("", _run_always(text)))


def to_event_driven_verilog(component: wiring.Component, name: str = "top") -> str:
    """The same as `to_verilog`, all combinational logic in continuous assignments, and the module called `name`.

    A process that first assigns a default wakes whoever reads it, even if its value ends where it was: two processes
    that read different bits of each other's signals wake each other for ever. Verilator sorts them, Icarus hangs.
    """
    found = _verilog(component, name, "proc; memory_collect; write_verilog -norename -noattr")
    return found.replace(r"\$procmux$", r"\procmux$")  # functions, whose names would be those of system functions


def _verilog(component: wiring.Component, name: str, script: str, *, emit_src: bool = False) -> str:
    """What Yosys, as Amaranth finds it, makes of a component; `script` ends with the command that writes it.

    It runs in a folder of its own: as a Python program it imports what lies in the folder that it runs in.
    """
    top, ports = _wrapped(component)
    with _no_garbage_collection():
        text = rtlil.convert(top, name=name, ports=ports, emit_src=emit_src)
    with scratch_folder() as folder, ChildProcesses() as children:
        (folder / "top.il").write_text(text)
        command = [*_yosys_command(), "-q", "-p", f"read_rtlil top.il; {script} top.v"]
        status, said = children.listen(command, folder=folder)
        if status:
            raise CompileError(f"Yosys refused the design: {said.strip()[-1000:]}")
        return (folder / "top.v").read_text()


def _yosys_command() -> list[str]:
    try:
        yosys = find_yosys(lambda version: version >= _YOSYS)
    except YosysError as error:
        raise ToolMissing(
            f"Yosys, which writes Verilog, is missing ({error}); install it with: pip install 'amaranth[builtin-yosys]'"
        ) from error
    if package := getattr(yosys, "YOSYS_PACKAGE", None):
        return [sys.executable, "-m", package]
    return [require_tool(yosys.YOSYS_BINARY)]


def _wrapped(component: wiring.Component) -> tuple[Module, dict[str, Any]]:
    """The component in a module with a clock, and the ports of that."""
    top = Module()
    top.domains.sync = sync = ClockDomain(reset_less=True)
    top.submodules.design = component
    ports: dict[str, Any] = {}
    for path, _, value in component.signature.flatten(component):
        if len(port := Value.cast(value)):  # Verilog has no ports without bits
            ports["_".join(map(str, path))] = (port, None)
    return top, {"clk": (sync.clk, None), **ports}


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Amaranth makes millions of objects that stay: looking for garbage among them takes a third of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _run_always(text: str) -> str:
    """Yosys writes `always @*` also where nothing is read (constant fields of a register): by the rules of
    Verilog such a process never runs. Verilator is told to refuse any that are left (ALWNEVER)."""
    return text.replace("always @*", "always_comb")


def _replicate(text: str) -> str:
    """{ s, s, s, x } as { {3{s}}, x }: Amaranth extends signs bit by bit, and Verilator then computes each bit."""
    return _RUN.sub(lambda run: f"{{{(len(run[0]) + 2) // (len(run[1]) + 2)}{{{run[1]}}}}}", text)
