"""Names of cells and nets in the design's own terms: "junction 1, lane 3, UP: product" for what tools call
"accelerator.accelerator.core.junction1.lane3.up.product_TRELLIS_FF_Q_3"."""

from __future__ import annotations

import re
from functools import cache

_MEMORY_PART = re.compile(r"(\.\d+)+(_[A-Z][A-Z0-9]*)?$")
"""What they append to that of a memory."""
_NUMBER = re.compile(r"(\[\d+\]|\$\d+|_\d+)+$")
_INDEXED = re.compile(r"([a-z]+)(\d+)$")
_OPERATIONS = {"ff": "FF", "bp": "BP", "up": "UP", "uart": "UART", "pll": "PLL"}
_WRAPPERS = ("top", "accelerator", "core")
"""Components that say nothing about where something is."""


def path_of(name: str, cell_names: tuple[str, ...]) -> tuple[str, ...]:
    """Components from the outside in, the signal or memory last; empty if tools made the name up. `cell_names` are what
    those tools append (`Toolchain`)."""
    name = name.removeprefix("$glbnet$").removeprefix("$PACKER_")
    parts = [part for part in _MEMORY_PART.sub("", _appended(cell_names).sub("", name)).split(".") if part]
    while parts and parts[0] in _WRAPPERS:
        parts = parts[1:]
    words = [_word(part) for part in parts]
    return tuple(word for word in words if word)


def readable(name: str, cell_names: tuple[str, ...]) -> str:
    """The path of a cell, net or memory in one phrase."""
    return phrase(path_of(name, cell_names)) or name


def phrase(path: tuple[str, ...]) -> str:
    """ "junction 1, lane 3, UP: product"."""
    *where, what = path or ("",)
    return f"{', '.join(where)}: {what}" if where else what


def between(start: tuple[str, ...], end: tuple[str, ...]) -> str:
    """Two places in one phrase, what they have in common said once: "junction 1, lane 3: UP, product -> rounded"."""
    shared = 0
    while shared < min(len(start), len(end)) - 1 and start[shared] == end[shared]:
        shared += 1
    where = ", ".join(start[:shared])
    way = f"{phrase(start[shared:])} -> {phrase(end[shared:])}"
    return f"{where}: {way}" if where else way


@cache
def _appended(cell_names: tuple[str, ...]) -> re.Pattern[str]:
    """What tools append to the name of a signal."""
    return re.compile(rf"[_.$]({'|'.join(map(re.escape, cell_names))}|\$nextpnr).*$")


def _word(part: str) -> str:
    part = _NUMBER.sub("", part)
    if part.startswith("$"):  # Amaranth's name for a signal without one
        return ""
    if part in _OPERATIONS:
        return _OPERATIONS[part]
    indexed = _INDEXED.fullmatch(part)
    return f"{indexed[1]} {indexed[2]}" if indexed else re.sub("_+", " ", part).strip()
