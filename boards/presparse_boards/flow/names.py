"""Names of cells and nets in the design's own terms: "junction 1, lane 3, UP: product" for what tools call
"accelerator.accelerator.core.junction1.lane3.up.product_TRELLIS_FF_Q_3"."""

from __future__ import annotations

import re

_SYNTHESIS = re.compile(
    r"[_.$](TRELLIS_|LUT4|CCU2C|PFUMX|L6MUX21|MULT18X18D|ALU54B|DP16KD|PDPW16KD|SB_|ICESTORM_|\$nextpnr).*$"
)
"""What tools append to the name of a signal."""
_MEMORY_PART = re.compile(r"(\.\d+)+(_RAM|_DP16KD)?$")
_NUMBER = re.compile(r"(\[\d+\]|\$\d+|_\d+)+$")
_INDEXED = re.compile(r"([a-z]+)(\d+)$")
_OPERATIONS = {"ff": "FF", "bp": "BP", "up": "UP", "uart": "UART", "pll": "PLL"}
_WRAPPERS = ("top", "accelerator", "core")
"""Components that say nothing about where something is."""


def path_of(name: str) -> tuple[str, ...]:
    """Components from the outside in, the signal or memory last; empty if tools made the name up."""
    name = name.removeprefix("$glbnet$").removeprefix("$PACKER_")
    parts = [part for part in _MEMORY_PART.sub("", _SYNTHESIS.sub("", name)).split(".") if part]
    while parts and parts[0] in _WRAPPERS:
        parts = parts[1:]
    words = [_word(part) for part in parts]
    return tuple(word for word in words if word)


def readable(name: str) -> str:
    """The path of a cell, net or memory in one phrase."""
    return phrase(path_of(name)) or name


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


def _word(part: str) -> str:
    part = _NUMBER.sub("", part)
    if part.startswith("$"):  # Amaranth's name for a signal without one
        return ""
    if part in _OPERATIONS:
        return _OPERATIONS[part]
    indexed = _INDEXED.fullmatch(part)
    return f"{indexed[1]} {indexed[2]}" if indexed else re.sub("_+", " ", part).strip()
