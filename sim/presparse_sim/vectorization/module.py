"""A module of Verilog as Yosys writes it for Amaranth, in its statements: to be changed, and written again.

There are few kinds of statements, because Yosys writes a netlist. What is not among them makes the module one that is
not understood: its text stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Self

_MODULE = re.compile(r"^module (\S+?) ?\((.*?)\);\n(.*?)^endmodule$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"\\(\S+) |(?<![\w'$\\.])([A-Za-z_]\w*)")
_WRITTEN = re.compile(r"\\(\S+) ")
_LAST_NAME = re.compile(r"\\(\S+)$")
_KEYWORDS = frozenset(("if", "else", "begin", "end", "casez", "endcase", "default"))
_ATTRIBUTE = re.compile(r"^ *\(\*.*\*\)\n", re.MULTILINE)
_RUN_ONCE = re.compile(r"^.*verilog_backend.*dump_module.*\n", re.MULTILINE)
"""What wakes an `always @*` once; `always_comb` needs nothing."""
_STATEMENT = re.compile(
    r"""
    ^\ \ (?P<kind>input|output|wire|reg)(?:\ \[(?P<msb>-?\d+):0\])?\ (?P<name>\\\S+\ |\w+)
        (?:\ ?\[(?P<last>\d+):0\])?(?:\ =\ (?P<init>\S+))?;\n
    | ^\ \ assign\ (?P<target>[^={]+?)\ =\ (?P<value>.*);\n
    | ^\ \ always\ @\(posedge\ clk\)\n\ {4}(?P<register>\\\S+\ |\w+)\ <=\ (?P<next>.*);\n
    | ^\ \ always\ @\(posedge\ clk\)\ begin\n
        (?:\ {4}if\ \((?P<enable>.*)\)\n)?\ +(?P<written>\\\S+\ |\w+)\[(?P<address>.*)\]\ <=\ (?P<data>.*);\n\ \ end\n
    | ^\ \ always\ @\(posedge\ clk\)\ begin\n\ \ end\n
    | ^\ \ always_comb(?:\ begin\n(?P<block>(?:\ {4}.*\n)*)\ \ end|\n(?P<line>\ {4}.*))\n
    | ^\ \ initial\ begin\n(?P<words>(?:\ {4}.*\n)*)\ \ end\n
    | ^\ \ (?P<module>\\\S+)\ +(?P<instance>\\?\S+)\ +\(\n(?P<pins>(?:\ {4}.*\n)*)\ \ \);\n
    """,
    re.MULTILINE | re.VERBOSE,
)
_PIN = re.compile(r"^    \.(\\\S+ |\w+)\((.*)\),?$", re.MULTILINE)
_ASSIGNED = re.compile(r"^ +\\(\S+) (?:\[[\d:]+\])? *= ", re.MULTILINE)


def written(name: str) -> str:
    """A name as expressions have it."""
    return f"\\{name} "


def names_in(text: str) -> list[str]:
    return _WRITTEN.findall(text)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """With other names instead of those that `names` has."""
    return _WRITTEN.sub(lambda name: written(names.get(name[1], name[1])), text)


def indexed(text: str, arrays: Collection[str], index: str) -> str:
    """With `index` behind the names of `arrays`."""
    return _WRITTEN.sub(lambda name: f"{name[0]}[{index}]" if name[1] in arrays else name[0], text)


@dataclass(kw_only=True)
class Signal:
    """A wire or a register; `direction`: input, output or nothing; `elements`: of an array, 0 of others."""

    width: int
    direction: str = ""
    init: str | None = None
    elements: int = 0


@dataclass(kw_only=True)
class Memory:
    width: int
    depth: int
    init: str = ""
    """Assignments, one per line."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Every field is Verilog in which each name of the module is `written`."""

    def mapped(self, change: Callable[[str], str]) -> Self:
        """With another text in every field."""
        return replace(self, **{f.name: change(getattr(self, f.name)) for f in fields(self)})

    @property
    def targets(self) -> list[str]:
        """Names of the signals that it drives."""
        return names_in(getattr(self, "target", ""))

    @property
    def sources(self) -> list[str]:
        """Names of what it reads; of a memory that it writes, too."""
        return [name for f in fields(self) if f.name != "target" for name in names_in(getattr(self, f.name))]


@dataclass(frozen=True, kw_only=True)
class Assign(Statement):
    """`target`, a signal or bits of one, always is `value`."""

    target: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Register(Statement):
    """`target` becomes `value` with the clock."""

    target: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Read(Statement):
    """`target` always is a word of a memory."""

    target: str
    memory: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Write(Statement):
    """A word of a memory becomes `data` with the clock."""

    memory: str
    address: str
    data: str
    enable: str


@dataclass(frozen=True, kw_only=True)
class Block(Statement):
    """A combinational process, whose statements are `text`."""

    text: str

    @property
    def targets(self) -> list[str]:
        return list(dict.fromkeys(_ASSIGNED.findall(self.text)))

    @property
    def sources(self) -> list[str]:
        return names_in(_ASSIGNED.sub("", self.text))


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance of the module `kind`; `inputs` and `outputs`: what is at its ports.

    Of `inputs` the clock is none: whoever is `clocked` has the one that there is.
    """

    kind: str
    name: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    clocked: bool

    def mapped(self, change: Callable[[str], str]) -> Instance:
        inputs, outputs = ({port: change(at) for port, at in pins.items()} for pins in (self.inputs, self.outputs))
        return replace(self, inputs=inputs, outputs=outputs)

    @property
    def targets(self) -> list[str]:
        return [name for at in self.outputs.values() for name in names_in(at)]

    @property
    def sources(self) -> list[str]:
        return [name for at in self.inputs.values() for name in names_in(at)]

    def emit(self) -> str:
        pins = {**({"clk": "clk"} if self.clocked else {}), **self.inputs, **self.outputs}
        connected = ", ".join(f".{written(port)}({at})" for port, at in pins.items())
        return f"  {self.kind} {written(self.name)}({connected});"


@dataclass(kw_only=True)
class Module:
    """`text`: of a module that is not understood, which has no statements."""

    name: str
    ports: list[str]
    signals: dict[str, Signal] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)
    statements: list[Statement | Instance] = field(default_factory=list)
    text: str | None = None

    @classmethod
    def parse_all(cls, verilog: str) -> dict[str, Module]:
        """The modules, by name."""
        modules, parsed = {}, {}
        matches = {match[1]: match for match in _MODULE.finditer(verilog)}
        for match in matches.values():
            modules[match[1]] = module = cls(name=match[1], ports=[_bare(port) for port in match[2].split(",")])
            body = _RUN_ONCE.sub("", _ATTRIBUTE.sub("", match[3]))
            parsed[match[1]] = found = list(_STATEMENT.finditer(body))
            module._declare(found)
            # A part of a word, or of a register, looks like a word of a memory.
            words = [statement for statement in found if statement["written"]]
            known = all(_bare(w["written"]) in module.memories and "][" not in w["address"] for w in words)
            known &= all(statement["module"] in matches for statement in found if statement["module"])
            if not known or sum(len(statement[0]) for statement in found) != len(body):
                module.text = match[0]
        for name, module in modules.items():
            if module.text is None:
                module._fill(parsed[name], modules)
        return modules

    def instances(self) -> list[Instance]:
        return [statement for statement in self.statements if isinstance(statement, Instance)]

    def directed(self, direction: str) -> list[str]:
        """Names of inputs or outputs."""
        return [name for name, signal in self.signals.items() if signal.direction == direction]

    def is_signal(self, text: str) -> bool:
        """Whether it is the name of a whole signal."""
        return text[1:-1] in self.signals and text == written(text[1:-1])

    def copied(self) -> Module:
        """Another with the same statements."""
        return replace(self, signals=dict(self.signals), memories=dict(self.memories), statements=list(self.statements))

    def take(self, instance: Instance, module: Module) -> None:
        """The statements of `module`, of which `instance` was one, become this module's own."""
        inside = {name: f"{instance.name}.{name}" for name in (*module.signals, *module.memories) if name != "clk"}

        for name in inside:
            if name in module.memories:
                memory = module.memories[name]
                self.memories[inside[name]] = replace(memory, init=renamed(memory.init, inside))
            else:
                self.signals[inside[name]] = replace(module.signals[name], direction="")
        for statement in module.statements:
            own = statement.mapped(lambda text: renamed(text, inside))
            if isinstance(own, Instance):
                own = replace(own, name=f"{instance.name}.{own.name}")
            self.statements.append(own)
        self.statements += (Assign(target=written(inside[port]), value=at) for port, at in instance.inputs.items())
        self.statements += (Assign(target=at, value=written(inside[port])) for port, at in instance.outputs.items())

    def add(self, name: str, width: int, elements: int = 0) -> str:
        """A new wire, `written`."""
        self.signals[name] = Signal(width=width, elements=elements)
        return written(name)

    def rename(self, names: Mapping[str, str]) -> None:
        """Signals become others, in all statements and declarations; the others are there already."""
        self.signals = {name: signal for name, signal in self.signals.items() if name not in names}
        self.statements = [statement.mapped(lambda text: renamed(text, names)) for statement in self.statements]

    def _declare(self, statements: list[re.Match[str]]) -> None:
        for found in statements:
            if found["kind"] is None:
                continue
            name, width = _bare(found["name"]), 1 + int(found["msb"] or 0)
            if found["last"] is not None:
                self.memories[name] = Memory(width=width, depth=int(found["last"]) + 1)
                continue
            signal = self.signals.setdefault(name, Signal(width=width))
            if found["kind"] in ("input", "output"):
                signal.direction = found["kind"]
            signal.init = found["init"] or signal.init

    def _fill(self, statements: list[re.Match[str]], modules: dict[str, Module]) -> None:
        def rewritten(text: str) -> str:
            def name(match: re.Match[str]) -> str:
                known = match[1] or (match[2] if match[2] not in _KEYWORDS else "")
                return written(known) if known in self.signals or known in self.memories else match[0]

            return _NAME.sub(name, text)

        for found in statements:
            if found["target"]:
                target, value = rewritten(found["target"] + " "), rewritten(found["value"])
                memory, _, address = value.partition("[")
                if memory[1:-1] in self.memories:
                    self.statements.append(Read(target=_tight(target), memory=memory, address=address[:-1]))
                else:
                    self.statements.append(Assign(target=_tight(target), value=_tight(value)))
            elif found["register"]:
                target, value = rewritten(found["register"]), rewritten(found["next"])
                self.statements.append(Register(target=_tight(target), value=_tight(value)))
            elif found["written"]:
                memory, address, data = (rewritten(found[part]) for part in ("written", "address", "data"))
                enable = rewritten(found["enable"] or "1'h1")
                self.statements.append(Write(memory=memory, address=address, data=data, enable=enable))
            elif found["block"] or found["line"]:
                self.statements.append(Block(text=rewritten(found["block"] or found["line"] + "\n")))
            elif found["words"]:
                text = rewritten(found["words"])
                self.memories[names_in(text)[0]].init += text
            elif found["module"]:
                self._connect(found, modules[found["module"]], rewritten)

    def _connect(self, found: re.Match[str], child: Module, rewritten: Callable[[str], str]) -> None:
        pins = {_bare(port): _tight(rewritten(at)) for port, at in _PIN.findall(found["pins"])}
        clocked = pins.pop("clk", None) is not None
        inputs = {port: at for port, at in pins.items() if child.signals[port].direction == "input"}
        outputs = {port: at for port, at in pins.items() if child.signals[port].direction == "output"}
        name = _bare(found["instance"])
        self.statements.append(Instance(kind=child.name, name=name, inputs=inputs, outputs=outputs, clocked=clocked))

    def emit(self) -> str:
        if self.text is not None:
            return self.text + "\n"
        lines = [f"module {self.name} ({', '.join(map(written, self.ports))});"]
        for name, signal in self.signals.items():
            init = f" = {signal.init}" if signal.init else ""
            elements = f"[{signal.elements}]" if signal.elements else ""
            lines.append(f"  {signal.direction} logic [{signal.width - 1}:0] {written(name)}{elements}{init};")
        for name, memory in self.memories.items():
            lines.append(f"  logic [{memory.width - 1}:0] {written(name)}[{memory.depth}];")
            if memory.init:
                lines.append(f"  initial begin\n{memory.init}  end")
        for statement in self.statements:
            match statement:
                case Assign(target=target, value=value):
                    lines.append(f"  assign {target}= {value};")
                case Read(target=target, memory=memory, address=address):
                    lines.append(f"  assign {target}= {memory}[{address}];")
                case Register(target=target, value=value):
                    lines.append(f"  always @(posedge clk) {target}<= {value};")
                case Write(memory=memory, address=address, data=data, enable=enable):
                    lines.append(f"  always @(posedge clk) if ({enable}) {memory}[{address}] <= {data};")
                case Block(text=text):
                    lines.append(f"  always_comb begin\n{text}  end")
                case Instance():
                    lines.append(statement.emit())
        return "\n".join([*lines, "endmodule", ""])


def _bare(name: str) -> str:
    return name.strip().removeprefix("\\")


def _tight(text: str) -> str:
    """Without spaces at its ends, but for the one that ends a name."""
    return _LAST_NAME.sub(lambda last: written(last[1]), text.strip())
