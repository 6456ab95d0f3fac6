"""From an Amaranth component to Verilog that Verilator digests well."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring

from presparse_sim.errors import CompileError, ToolMissing
from presparse_sim.sharing import share_modules

_RUN = re.compile(r"(?<=[{,] )([^,{}]+?)(?:, \1)+(?=,| \})")
"""Equal neighbours in a concatenation."""


def to_verilog(component: wiring.Component) -> str:
    """Verilog of module `top`: port `clk`, and a port `stream_payload` for a member `stream.payload`.

    The clock domain has no reset: state starts from its initial values, and the simulation saves a test of
    the reset in every register and cycle. Equal modules are one. Raises CompileError, ToolMissing.
    """
    top = Module()
    top.domains.sync = sync = ClockDomain(reset_less=True)
    top.submodules.design = component
    members = component.signature.flatten(component)
    ports = {"_".join(map(str, path)): (Value.cast(value), None) for path, _, value in members}
    try:
        with _no_garbage_collection():
            text = verilog.convert(
                top, ports={"clk": (sync.clk, None), **ports}, emit_src=False, strip_internal_attrs=True
            )
    except verilog.YosysError as error:
        if "Could not find" in str(error):
            raise ToolMissing(
                "Yosys, which writes Verilog for the simulator, is missing; "
                "install it with: pip install 'amaranth[builtin-yosys]'"
            ) from error
        raise CompileError(f"Yosys refused the design: {error}") from error
    return share_modules(_replicate(_run_always(text)))


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
