"""Verilator's counts of a simulation, in terms of the Python that the gateware comes from.

The Verilog has the line of Python of each signal and operator as an attribute (`to_sourced_verilog`). A branch is
told by its condition, and by the signal that is assigned there; a toggle by its signal, its bit and its direction.
Lanes, junctions and networks share their source, so what one of them exercises is exercised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_SOURCE = re.compile(r'\(\* src = "([^"]+):(\d+)" \*\)')
_DECLARED = re.compile(
    r"^ +(?:wire|reg|input|output|inout)(?: reg)?(?: signed)? (?:\[[^]]*\] )?(\S+) ?(?:\[[^]]*\])?(?: =.*)?;$"
)
_ASSIGNED = re.compile(r"^ +assign (\S+) +(?:\[[^]]*\] )?=")
_REGISTERED = re.compile(r"^ +(\S+) (?:\[[^]]*\] )?<= (\S+) ;$")
_CHOICE = re.compile(r"^ +(?:end else )?(?:if|casez) \((\S+?) ?(?:\[[^]]*\])?\)")
_TARGET = re.compile(r"^ +(\S+) +(?:\[[^]]*\] )?= ")
_NUMBER = re.compile(r"\$\d+$")
"""What Amaranth appends to names that occur twice."""
_ENTRY = re.compile(r"^C '(.*)' (\d+)$", re.DOTALL)
_ESCAPED = re.compile(r"__0([0-9A-F]{2})")
"""A character of a name in Verilator's writing."""

Kind = Literal["branch", "toggle"]


@dataclass(frozen=True, order=True, kw_only=True)
class Point:
    """Something that a simulation may exercise."""

    file: str
    line: int
    kind: Kind
    what: str


class Sources:
    """Where the lines of a design's Verilog come from."""

    def __init__(self, verilog: str) -> None:
        self._signals: dict[tuple[str, str], tuple[str, int]] = {}
        """Module and signal: the Python of its declaration, or of the operator that makes it."""
        self._choices: dict[int, tuple[str, str, str]] = {}
        """Line: module, condition and target of the branch there."""
        self._registers: dict[tuple[str, str], str] = {}
        """Module and next value: the register."""
        for module, numbered in _modules(verilog):
            self._read_signals(module, numbered)
            self._read_choices(module, numbered)

    def point(self, kind: Kind, module: str, line: int, comment: str) -> Point | None:
        """None for what has no Python: temporaries, and processes as such."""
        if kind == "toggle":
            name, _, bit = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), comment).partition("[")
            if name.startswith("$") or not name:
                return None
            place = self._signals.get((module, name))
            return place and Point(file=place[0], line=place[1], kind=kind, what=f"{_plain(name)}[{bit}")
        choice = self._choices.get(line)
        if choice is None:
            return None
        module, condition, target = choice
        target = self._registers.get((module, target), target)
        named = not condition.startswith("$")
        place = self._signals.get((module, target if named else condition))
        what = f"{_plain(target)} {'if' if comment != 'else' else 'unless'} {_plain(condition) if named else 'so'}"
        return place and Point(file=place[0], line=place[1], kind=kind, what=what)

    def _read_signals(self, module: str, numbered: list[tuple[int, str]]) -> None:
        above: tuple[str, int] | None = None
        for _, text in numbered:
            source = _SOURCE.search(text)
            found = (source[1], int(source[2])) if source else None
            if assigned := _ASSIGNED.match(text):
                if found:
                    self._signals.setdefault((module, _name(assigned[1])), found)
            elif (declared := _DECLARED.match(text)) and above:
                self._signals.setdefault((module, _name(declared[1])), above)
            elif registered := _REGISTERED.match(text):
                self._registers[module, _name(registered[2])] = _name(registered[1])
                if above:  # of the register: its wire may be declared where it leaves the module
                    self._signals[module, _name(registered[1])] = above
            if not text.lstrip().startswith(("(*", "always @(posedge")):
                above = None
            elif found:
                above = found

    def _read_choices(self, module: str, numbered: list[tuple[int, str]]) -> None:
        """A branch's target is the first signal that is assigned in its process."""
        target, choosing = "", ""
        for number, text in numbered:
            if text.lstrip().startswith("always"):
                target, choosing = "", ""
            elif assigned := _TARGET.match(text):
                target = target or _name(assigned[1])
            elif choice := _CHOICE.match(text):
                choosing = _name(choice[1])
            if choosing and target:
                self._choices[number] = module, choosing, target


def read(counts: Path, sources: Sources) -> dict[Point, int]:
    """What a simulation exercised how often, and never (0)."""
    found: dict[Point, int] = {}
    for entry in counts.read_text(errors="replace").splitlines():
        if not (match := _ENTRY.match(entry)):
            continue
        fields = dict(part.split("\2", 1) for part in match[1].split("\1")[1:])
        kind, _, module = fields["page"].removeprefix("v_").partition("/")
        if kind not in ("branch", "toggle"):
            continue
        point = sources.point(kind, module, int(fields["l"]), fields["o"])
        if point is not None:
            found[point] = found.get(point, 0) + int(match[2])
    return found


def _modules(verilog: str) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Names, and their numbered lines."""
    name, lines = "", []
    for number, text in enumerate(verilog.splitlines(), start=1):
        if text.startswith("module "):
            name, lines = _name(text.split("(")[0].split()[1]), []
        lines.append((number, text))
        if text == "endmodule":
            yield name, lines


def _name(text: str) -> str:
    return text.removeprefix("\\").rstrip(";")


def _plain(name: str) -> str:
    return _NUMBER.sub("", name)
