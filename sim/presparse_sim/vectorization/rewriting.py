"""Vectorization: Verilog in which equal modules that stand side by side are one module of arrays, and loops over them.

The lanes of a junction do the same in every cycle. As instances of one module Verilator computes them one after the
other; of loops over arrays the C++ compiler computes up to 64 turns with one instruction.

    lane0 .. lane63, each `total <= a + b;`   ->   for (l = 0; l < 64; ++l) total[l] = a[l] + b[l];

    1. Groups of equal modules are dissolved in the module around them, so that these stand side by side.
    2. Signals that are always equal are merged: what all lanes are told is one signal, not one per group.
    3. The equal modules become one. What differs between them is an array there, what does not is not.

Every bit stays what it is, cycle by cycle; the names of merged signals are lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from presparse_sim.vectorization.module import Assign, Instance, Module
from presparse_sim.vectorization.simplification import simplified
from presparse_sim.vectorization.vector import Vector, padded

_LEAST = 4
"""Equal modules that are worth a vector."""


def vectorize(verilog: str) -> str:
    """`verilog`: what `to_verilog` returns. Modules that are not understood stay as they are."""
    modules = Module.parse_all(verilog)
    vectors = _Vectors(modules)
    result = {name: vectors.around(module).emit() for name, module in modules.items()}
    result |= {module.name: module.emit() for module in vectors.made}
    reached = _reached("top", result)
    return "\n".join(text for name, text in result.items() if name in reached)


def _reached(top: str, texts: dict[str, str]) -> set[str]:
    """Names of the modules that are instantiated, by one another, from `top` on."""
    reached, ahead = {top}, [top]
    while ahead:
        text = texts[ahead.pop()]
        new = {name for name in texts if name not in reached and f"  {name} " in text}
        reached |= new
        ahead += new
    return reached


class _Vectors:
    """Modules with vectors in them, and the modules of these, as they are needed."""

    def __init__(self, modules: dict[str, Module]) -> None:
        self._modules = modules
        self._names: dict[tuple[str, int, frozenset[str]], str] = {}
        self.made: list[Module] = []

    def around(self, module: Module) -> Module:
        """`module`, with vectors instead of equal modules."""
        while (inner := _dissolved(module, self._modules)) is not module:
            module = inner
        kinds = Counter(instance.kind for instance in module.instances())
        for kind, count in kinds.items():
            if count >= _LEAST and self._possible(kind):
                module = self._replaced(module, kind)
        return module

    def name(self, kind: str, count: int, common: frozenset[str]) -> str:
        """Of the module of `count` instances that share the inputs `common`."""
        key = kind, count, common
        if key not in self._names:
            self._names[key] = f"{kind}.vector{len(self._names)}"
            self.made.append(Vector(self, self._modules[kind], self._names[key], count, common).module)
        return self._names[key]

    def width(self, kind: str, port: str) -> int:
        return self._modules[kind].signals[port].width

    def _possible(self, kind: str) -> bool:
        module = self._modules.get(kind)
        return module is not None and module.text is None and all(self._possible(i.kind) for i in module.instances())

    def _replaced(self, module: Module, kind: str) -> Module:
        instances = [instance for instance in module.instances() if instance.kind == kind]
        first, count = instances[0], len(instances)
        common = frozenset(port for port, at in first.inputs.items() if len({i.inputs[port] for i in instances}) == 1)
        around = module.copied()
        around.statements = [s for s in module.statements if not (isinstance(s, Instance) and s.kind == kind)]
        arrays = {
            port: around.add(f"{first.name}.vector.{port}", self.width(kind, port), padded(count))
            for port in (*first.inputs, *first.outputs)
            if port not in common
        }
        for number, instance in enumerate(instances):
            for port, at in instance.inputs.items():
                if port in arrays:
                    around.statements.append(Assign(target=f"{arrays[port]}[{number}]", value=at))
            for port, at in instance.outputs.items():
                around.statements.append(Assign(target=at, value=f"{arrays[port]}[{number}]"))
        vector = replace(
            first,
            kind=self.name(kind, count, common),
            name=f"{first.name}.vector",
            inputs={port: arrays.get(port, at) for port, at in first.inputs.items()},
            outputs={port: arrays[port] for port in first.outputs},
        )
        around.statements.append(vector)
        return around


def _dissolved(module: Module, modules: dict[str, Module]) -> Module:
    """Without the modules that hold equal ones: what these hold stands side by side in `module`."""
    inside = [i for i in module.instances() if i.kind in modules and modules[i.kind].text is None]
    own = Counter(instance.kind for instance in inside)
    held: dict[str, list[str]] = defaultdict(list)  # kind -> names of those around its instances
    for holder in inside:
        if own[holder.kind] < _LEAST:
            for instance in modules[holder.kind].instances():
                held[instance.kind].append(holder.name)
    dissolving = {name for names in held.values() if len(names) >= _LEAST and len(set(names)) > 1 for name in names}
    if not dissolving:
        return module
    result = module.copied()
    result.statements = []
    for statement in module.statements:
        if isinstance(statement, Instance) and statement.name in dissolving:
            result.take(statement, modules[statement.kind])
        else:
            result.statements.append(statement)
    return simplified(result)
