"""What Yosys makes of a memory that is left to it: the cheapest primitive that it knows (`memory_libmap`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from presparse_boards.resources.inventory import Memory


@dataclass(frozen=True, kw_only=True)
class MemoryCells:
    """What a family of FPGAs has to make memories of, as Yosys sees it."""

    address_bits: int
    """Of block RAM whose words are `widths[0]` bits wide."""
    widths: tuple[int, ...]
    """Bits that a word of block RAM can have, ascending; from each to the next it has half as many words."""
    byte: int
    """Bits of a word that can be written alone."""
    cost: int
    """Of a block."""
    cell_luts: int = 0
    """LUTs that a cell of distributed RAM (16 words of 4 bits) takes in place-and-route; 0: there is none."""


_CELL_COST = 4
"""Of 16 words of 4 bits of distributed RAM."""
_TABLE_BIT = 1 / 16
"""Cost of a bit of a table in LUTs, and below of a bit of memory in flip-flops."""
_LOGIC_BIT = 1.0
_EMULATION = 2.0
"""Cost of what a primitive must be helped with."""
_CELL_CHOICE = {1: 0.0, 2: 1.0, 3: 2.0, 4: 4.0, 6: 4.0, 8: 6.0, 16: 21.0}
"""As measured, six in whole designs (alone they take ten); 1.4 per cell otherwise."""


@dataclass(frozen=True)
class Storage:
    """What a memory takes."""

    blocks: int = 0
    cells: int = 0
    """Of distributed RAM."""
    single_port: int = 0
    """Blocks with one port."""
    luts: float = 0
    """That choose among blocks or cells and emulate what these cannot do."""
    registers: float = 0

    def __add__(self, other: Storage) -> Storage:
        return Storage(
            self.blocks + other.blocks,
            self.cells + other.cells,
            self.single_port + other.single_port,
            self.luts + other.luts,
            self.registers + other.registers,
        )

    def times(self, count: int) -> Storage:
        return Storage(
            count * self.blocks,
            count * self.cells,
            count * self.single_port,
            count * self.luts,
            count * self.registers,
        )


@lru_cache(maxsize=8192)
def inferred(memory: Memory, cells: MemoryCells) -> Storage:
    """The primitives of one of `memory.count`. Fields are memories of their own."""
    found = Storage()
    for width in memory.fields:
        choices = [_in_logic(memory, width)]
        if memory.registered:
            choices.append(_in_blocks(memory, width, cells))
        if memory.written and cells.cell_luts:
            choices.append(_in_cells(memory, width))
        found += min(choices, key=lambda choice: choice[0])[1]
    return found


@lru_cache(maxsize=8192)
def distributed(memory: Memory) -> Storage:
    """Of one of `memory.count`, where nothing else is allowed. Fields are memories of their own."""
    found = Storage()
    for width in memory.fields:
        found += _in_cells(memory, width)[1]
    return found


def _in_blocks(memory: Memory, width: int, block: MemoryCells) -> tuple[float, Storage]:
    """Cost, and what it is."""
    best = None
    for base, unit in enumerate(block.widths):
        byte = min(block.byte, unit) if memory.written else 1
        stacked = max(1, math.ceil(memory.depth / (1 << (block.address_bits - base))))
        blocks = math.ceil(stacked * math.ceil(width / byte) * byte / unit)
        cost = block.cost * blocks + (stacked - 1) * width / 2
        if best is None or cost < best[0]:
            best = cost, blocks, stacked
    assert best is not None
    cost, blocks, stacked = best
    cost += _EMULATION if memory.written else 0
    return cost, Storage(blocks=blocks, luts=(stacked - 1) * width, registers=width)


def _in_cells(memory: Memory, width: int) -> tuple[float, Storage]:
    stacked = math.ceil(memory.depth / 16)
    cells = math.ceil(width / 4) * stacked
    cost = _CELL_COST * cells + (stacked - 1) * width / 2 + (stacked / 2 if stacked > 1 else 0) + _EMULATION
    luts = _choice(stacked) * width + (stacked if stacked > 1 else 0)
    return cost, Storage(cells=cells, luts=luts, registers=_registers(memory, width))


def swept(memory: Memory, count: int) -> Storage:
    """What is saved, counted as less than nothing: what holds or chooses only bits that nobody reads, in distributed
    RAM of `count` memories. Every second one has some."""
    every_second, stacked = (count + 1) // 2, -(-memory.depth // 16)
    cells, luts = memory.unread // 4 * stacked, memory.unread * _choice(stacked)
    return Storage(cells=-every_second * cells, luts=-every_second * luts, registers=-every_second * 2 * memory.unread)


def _choice(stacked: int) -> float:
    """LUTs per bit that choose among cells stacked for depth."""
    return _CELL_CHOICE.get(stacked, 1.4 * stacked)


def _in_logic(memory: Memory, width: int) -> tuple[float, Storage]:
    size, registers = memory.depth * width, _registers(memory, width)
    if not memory.written:
        return _TABLE_BIT * size, Storage(luts=size / 16, registers=registers)
    return _LOGIC_BIT * size, Storage(luts=size, registers=size + registers)


def _registers(memory: Memory, width: int) -> int:
    """Behind a word that is read from cells or flip-flops."""
    return 2 * width if memory.registered else 0
