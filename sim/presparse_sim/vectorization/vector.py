"""A vector: instances of a module as one module, in loops over arrays with an element of each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Protocol

from presparse_sim.vectorization.module import (
    Assign,
    Block,
    Instance,
    Module,
    Read,
    Register,
    Statement,
    Write,
    indexed,
    names_in,
    written,
)
from presparse_sim.vectorization.simplification import simplified

_CHOICE = re.compile(r"([^?]+) \? ([^?:]+) : ([^?:]+)")
_LANE = "vector$lane"
"""The index of all loops; no signal of Amaranth's has such a name."""


class Vectors(Protocol):
    """Where the vectors of a vector's own instances come from."""

    def name(self, kind: str, count: int, common: frozenset[str]) -> str: ...

    def width(self, kind: str, port: str) -> int: ...


class Vector:
    """`module`: what `count` instances of `instance_of` are together, called `name`.

    Inputs that are `common` to all are as they were; all other ports are arrays, `padded`.
    """

    def __init__(self, vectors: Vectors, instance_of: Module, name: str, count: int, common: frozenset[str]) -> None:
        self._vectors = vectors
        self._count = count
        self._from = simplified(instance_of)
        self._varying = _varying(self._from, common)
        self._more: dict[str, int] = {}  # signals besides those of the module: name -> width
        self._always: dict[str, list[str]] = defaultdict(list)  # signal -> assignments to its elements
        self._edge: list[str] = []  # assignments with the clock
        self._lines: list[str] = []
        fused = self._fuse_memories()
        for statement in self._from.statements:
            if statement not in fused:
                self._add(statement)
        self.module = Module(name=name, ports=self._from.ports, text=self._text(name))

    def _fuse_memories(self) -> list[Statement | Instance]:
        """Memories that only registers read: one process reads, then writes, so that no word is copied in between."""
        fused: list[Statement | Instance] = []
        statements = self._from.statements
        readers = Counter(name for statement in statements for name in statement.sources)
        for name in self._from.memories:
            writes = [s for s in statements if isinstance(s, Write) and s.memory == written(name)]
            reads = {s.target: s for s in statements if isinstance(s, Read) and s.memory == written(name)}
            registers = [s for s in statements if isinstance(s, Register) and s.value in reads]
            if len(writes) == 1 and sum(readers[target[1:-1]] for target in reads) == len(registers):
                self._fuse(name, writes[0], list(reads.values()), registers)
                fused += [*writes, *reads.values(), *registers]
        return fused

    def _fuse(self, name: str, write: Write, reads: list[Read], registers: list[Register]) -> None:
        rows: list[str] = []
        lines: list[str] = []

        def word(address: str) -> str:
            """One address for all is evaluated once: then the loop is over neighbors."""
            if self._varies(address):
                return f"{written(name)}[{self._at(address)}][{_LANE}]"
            row = f"vector$row{len(rows)}"
            rows.append(f"    automatic int unsigned {row};")
            lines.append(f"    {row} = {{ {address} }};")
            return f"{written(name)}[{row}][{_LANE}]"

        for read in reads:
            from_ = word(read.address)
            lines.append(f"    {self._loop(f'{self._at(read.target)} = {from_};')}")
        lines += (f"    {register.target}<= {register.value};" for register in registers)
        to, enable, data = word(write.address), self._at(write.enable), self._at(write.data)
        if self._varies(write.address):
            lines.append(f"    {self._loop(f'if ({enable}) {to} = {data};')}")
        else:
            lines.append(f"    {self._loop(f'{to} = {_chosen(enable, data, to, self._width(name))};')}")
        self._lines += ["  always @(posedge clk) begin", *rows, *lines, "  end"]

    def _add(self, statement: Statement | Instance) -> None:
        match statement:
            case Instance():
                self._add_instance(statement)
            case Write(memory=memory, address=address, data=data, enable=enable):
                for number in range(self._count):
                    at, en, word = (self._at(text, str(number)) for text in (address, enable, data))
                    self._lines.append(f"  always @(posedge clk) if ({en}) {memory}[{at}][{number}] <= {word};")
            case Read(target=target, memory=memory, address=address):
                self._always[target[1:-1]].append(f"{self._at(target)}= {memory}[{self._at(address)}][{_LANE}];")
            case Assign(target=target, value=value) if not self._varies(target):
                self._lines.append(f"  assign {target}= {value};")
            case Assign(target=target, value=value):
                if (choice := _CHOICE.fullmatch(value)) and self._from.is_signal(target):
                    value = _chosen(choice[1], choice[2], choice[3], self._width(target[1:-1]))
                self._always[names_in(target)[0]].append(f"{self._at(target)}= {self._at(value)};")
            case Block(text=text) if any(name in self._varying for name in statement.targets):
                self._lines.append(f"  always_comb begin {self._loop(self._at(text))} end")
            case Block(text=text):
                self._lines.append(f"  always_comb begin\n{text}  end")
            case Register(target=target, value=value):
                if self._varies(target) and not (self._varies(value) and self._from.is_signal(value)):
                    value = self._temporary(value, self._width(target[1:-1]))
                self._edge.append(f"    {target}<= {value};")

    def _add_instance(self, instance: Instance) -> None:
        kind = instance.kind
        inputs, outputs = dict(instance.inputs), dict(instance.outputs)
        common = frozenset(port for port, at in inputs.items() if not self._varies(at))
        for port, at in instance.inputs.items():
            if port not in common and not self._from.is_signal(at):
                inputs[port] = self._temporary(at, self._vectors.width(kind, port))
        for port, at in instance.outputs.items():
            if not self._from.is_signal(at):
                outputs[port] = signal = self._declare(self._vectors.width(kind, port))
                self._always[names_in(at)[0]].append(f"{self._at(at)}= {signal}[{_LANE}];")
        name = self._vectors.name(kind, self._count, common)
        self._lines.append(replace(instance, kind=name, inputs=inputs, outputs=outputs).emit())

    def _declare(self, width: int) -> str:
        name = f"vector$more{len(self._more)}"
        self._more[name] = width
        return written(name)

    def _temporary(self, value: str, width: int) -> str:
        signal = self._declare(width)
        self._always[signal[1:-1]].append(f"{signal}[{_LANE}] = {self._at(value)};")
        return signal

    def _width(self, name: str) -> int:
        return (self._from.signals.get(name) or self._from.memories[name]).width

    def _varies(self, text: str) -> bool:
        return any(name in self._varying for name in names_in(text))

    def _at(self, text: str, index: str = _LANE) -> str:
        return indexed(text, self._varying, index)

    def _loop(self, text: str) -> str:
        turns = f"int unsigned {_LANE} = 0; {_LANE} < {self._count}; ++{_LANE}"
        return f"/* verilator unroll_disable */ for ({turns}) begin {text} end"

    def _text(self, name: str) -> str:
        elements = padded(self._count)
        lines = [f"module {name} ({', '.join(map(written, self._from.ports))});"]
        for signal, found in self._from.signals.items():
            array, init = "", f" = {found.init}" if found.init else ""
            if signal in self._varying:
                array, init = f"[{elements}]", f" = '{{default: {found.init}}}" if found.init else ""
            lines.append(f"  {found.direction} logic [{found.width - 1}:0] {written(signal)}{array}{init};")
        for memory, found in self._from.memories.items():
            lines.append(f"  logic [{found.width - 1}:0] {written(memory)}[{padded(found.depth)}][{elements}];")
            if found.init:
                words = found.init.replace("] = ", f"][{_LANE}] = ")
                lines.append(f"  initial begin {self._loop(words)} end")
        for signal, width in self._more.items():
            lines.append(f"  logic [{width - 1}:0] {written(signal)}[{elements}];")
        lines += (f"  always_comb begin {self._loop(' '.join(each))} end" for each in self._always.values())
        lines += self._lines
        if self._edge:
            lines += ["  always @(posedge clk) begin", *self._edge, "  end"]
        return "\n".join([*lines, "endmodule"])


def _chosen(condition: str, one: str, other: str, width: int) -> str:
    """A choice without a branch: the C++ compiler makes no vector of an element that is read in some turns only."""
    return f"({{{width}{{{condition}}}}} & {one}) | (~{{{width}{{{condition}}}}} & {other})"


def padded(count: int) -> int:
    """Elements of an array: any index of so many bits is one, so nothing has to be tested."""
    return 1 << (count - 1).bit_length()


def _varying(module: Module, common: frozenset[str]) -> set[str]:
    """What is not the same in all instances; and all outputs, which whoever is outside expects as arrays."""
    varying = set(module.directed("input")) - common - {"clk"} | set(module.directed("output"))
    size = 0
    while size != len(varying):
        size = len(varying)
        for statement in module.statements:
            if isinstance(statement, (Instance, Read)) or not varying.isdisjoint(statement.sources):
                varying.update(statement.targets)
    return varying
