"""From an Amaranth component to Verilog: for Verilator, for Icarus, and for designs of other people."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth._toolchain.yosys import YosysError, find_yosys
from amaranth.back import rtlil, verilog
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring

from presparse_sim.errors import CompileError, ToolMissing
from presparse_sim.sharing import share_modules

_YOSYS = (0, 40)
"""The oldest that Amaranth's RTLIL is for."""
_RUN = re.compile(r"(?<=[{,] )([^,{}]+?)(?:, \1)+(?=,| \})")
"""Equal neighbors in a concatenation."""
_OWN_ATTRIBUTE = re.compile(r"^ *\(\* (?:generator|top|amaranth\.\w+) .*\*\)\n", re.MULTILINE)
"""Of modules and cells, which would differ between otherwise equal ones."""


def to_verilog(component: wiring.Component) -> str:
    """Verilog of module `top`: port `clk`, and a port `stream_payload` for a member `stream.payload`.

    The clock domain has no reset: state starts from its initial values, and the simulation saves a test of
    the reset in every register and cycle. Equal modules are one. Raises CompileError, ToolMissing.
    """
    top, ports = _wrapped(component)
    with _no_garbage_collection(), _refusals():
        text = verilog.convert(top, ports=ports, emit_src=False, strip_internal_attrs=True)
    return share_modules(_replicate(_run_always(text)))


def to_sourced_verilog(component: wiring.Component) -> str:
    """The same, and before what has one, the line of Python that it comes from, as an attribute `src`."""
    top, ports = _wrapped(component)
    with _no_garbage_collection(), _refusals():
        text = verilog.convert(top, ports=ports, emit_src=True)
    return share_modules(_OWN_ATTRIBUTE.sub("", _run_always(text)))


def to_event_driven_verilog(component: wiring.Component, name: str = "top") -> str:
    """The same as `to_verilog`, all combinational logic in continuous assignments, and the module called `name`.

    A process that first assigns a default wakes whoever reads it, even if its value ends where it was: two processes
    that read different bits of each other's signals wake each other for ever. Verilator sorts them, Icarus hangs.
    """
    top, ports = _wrapped(component)
    with _no_garbage_collection(), _refusals():
        text = rtlil.convert(top, name=name, ports=ports, emit_src=False)
        script = f"read_rtlil <<rtlil\n{text}\nrtlil\nproc\nmemory_collect\nwrite_verilog -norename -noattr"
        found = find_yosys(lambda version: version >= _YOSYS).run(["-q", "-"], script, ignore_warnings=True)
    return found.replace(r"\$procmux$", r"\procmux$")  # functions, whose names would be those of system functions


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
def _refusals() -> Iterator[None]:
    """Yosys's errors as the simulator's."""
    try:
        yield
    except YosysError as error:
        if "Could not find" in str(error):
            raise ToolMissing(
                "Yosys, which writes Verilog, is missing; install it with: pip install 'amaranth[builtin-yosys]'"
            ) from error
        raise CompileError(f"Yosys refused the design: {error}") from error


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
