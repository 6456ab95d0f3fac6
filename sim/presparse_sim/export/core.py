"""The core with one port per field and a reset: what the exported Verilog describes."""

from __future__ import annotations

from functools import reduce
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse_hw.core.core import Core
from presparse_hw.core.ports import RESTART
from presparse_sim.export.ports import RESET, Leaf, leaves


class ExportedCore(wiring.Component):
    """A core whose members are those of `presparse_sim.export.ports`, clock aside.

    Its reset restarts the core, which takes `RESTART` cycles; until then it stops every stream, so that nobody outside
    has to wait.
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self._leaves = tuple(leaves(build))
        members = {leaf.port: (In if leaf.direction == "input" else Out)(leaf.width) for leaf in self._leaves}
        super().__init__({RESET: In(1), **members})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = Core(self._build)
        reset: Signal = getattr(self, RESET)
        before = Signal(RESTART - 1, reset_less=True)  # the reset of the last cycles
        moves = Signal()
        m.d.sync += before.eq(Cat(reset, before))
        m.d.comb += [core.restart.eq(reset), moves.eq(~reset & ~before.any())]
        for leaf in self._leaves:
            port, member = getattr(self, leaf.port), _member(core, leaf)
            into, value = (member, port) if leaf.direction == "input" else (port, member)
            stops = leaf.path[-1] in ("valid", "ready", "drained")
            m.d.comb += into.eq(value & moves if stops else value)
        return m


def _member(core: Core, leaf: Leaf) -> Value:
    view: Any = reduce(getattr, leaf.path, core)
    return Value.cast(view if leaf.field is None else view[leaf.field])
