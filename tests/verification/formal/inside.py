"""Looking inside a component: specs state invariants about registers that have no port."""

from __future__ import annotations

from amaranth.hdl import Const, Elaboratable, Fragment, MemoryInstance, Signal, Value


class Inside:
    """A component, elaborated once, whose signals and memories can be named.

    `fragment` is what a spec adds as a submodule.
    """

    def __init__(self, component: Elaboratable, platform: object) -> None:
        self.fragment = Fragment.get(component, platform)

    def __getitem__(self, path: str) -> Signal:
        """The signal `a.b.name`: the register or wire `name` that submodule b of submodule a drives."""
        *parents, name = path.split(".")
        fragment = self._submodule(parents)
        found = {
            id(signal): signal
            for statements in fragment.statements.values()
            for statement in statements
            for signal in statement._lhs_signals()
            if signal.name == name
        }
        if len(found) != 1:
            raise LookupError(f"{path}: {len(found)} signals have this name; a spec needs exactly one")
        return next(iter(found.values()))

    def word(self, path: str, address: Value, *, width: int) -> Signal:
        """What the `amaranth.lib.memory.Memory` at `path` holds at `address` now, by a read port of the spec's own."""
        instance = self._submodule(path.split("."))
        if not isinstance(instance, MemoryInstance):
            raise LookupError(f"{path}: a memory is wanted, and this is none")
        data = Signal(width, name=f"{path.replace('.', '_')}_word")
        instance.read_port(domain="comb", addr=address, data=data, en=Const(1), transparent_for=())
        return data

    def _submodule(self, path: list[str]) -> Fragment:
        fragment = self.fragment
        for name in path:
            children = {child: sub for sub, child, _ in fragment.subfragments}
            if name not in children:
                raise LookupError(f"{'.'.join(path)}: {name} is none of the submodules {', '.join(map(str, children))}")
            fragment = children[name]
        return fragment
