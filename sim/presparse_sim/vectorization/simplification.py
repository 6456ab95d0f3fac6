"""Simplification: a module without second names of a signal, registers that hold what others hold, and unread ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from presparse_sim.vectorization.module import Assign, Instance, Module, Statement, Write, written


def simplified(module: Module) -> Module:
    """Signals that are equal in every cycle become one; what nothing reads goes. Ports stay."""
    module = module.copied()
    while names := _merge(module):
        module.rename(names)
    _drop_unread(module)
    return module


def _merge(module: Module) -> dict[str, str]:
    """Drop statements that only repeat others; returns the name of what each signal that they drove is equal to."""
    names: dict[str, str] = {}
    seen: dict[tuple[object, ...], str] = {}
    drivers = Counter(name for statement in module.statements for name in statement.targets)

    def final(name: str) -> str:
        while name in names:
            name = names[name]
        return name

    def repeats(statement: Statement) -> bool:
        (target,) = statement.targets
        signal = module.signals[target]
        own = not signal.direction and target not in names
        if isinstance(statement, Assign) and module.is_signal(statement.target) and module.is_signal(statement.value):
            source = final(statement.value[1:-1])
            if module.signals[source].width == signal.width and source != final(target):
                if own:
                    names[target] = source
                    return True
                if not module.signals[source].direction:  # an output: what drives its source drives it
                    module.signals[target] = replace(signal, init=module.signals[source].init)
                    names[source] = target
                    return True
        said = statement.mapped(lambda text: text.replace(written(target), written("")))
        first = final(seen.setdefault((type(statement), said, signal.width, signal.init), target))
        if own and first != target:
            names[target] = first
            return True
        return False

    module.statements = [
        statement
        for statement in module.statements
        if isinstance(statement, Instance | Write)
        or [drivers[name] for name in statement.targets] != [1]
        or not repeats(statement)
    ]
    return {name: final(name) for name in names}


def _drop_unread(module: Module) -> None:
    before = len(module.statements) + 1
    while len(module.statements) != before:
        before = len(module.statements)
        read = {name for statement in module.statements for name in statement.sources}.union(module.ports)
        module.statements = [s for s in module.statements if not s.targets or not read.isdisjoint(s.targets)]
    named = {name for s in module.statements for name in (*s.sources, *s.targets)}.union(module.ports)
    module.signals = {name: signal for name, signal in module.signals.items() if name in named}
