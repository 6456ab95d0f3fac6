"""Which memories of an ECP5 design get block RAM: those that would cost most as distributed RAM, per block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from presparse.contract.build import Build
from presparse_boards.families.ecp5.cells import MEMORY
from presparse_boards.resources.capacity import Capacity
from presparse_boards.resources.inferred_memory import Storage, distributed, inferred, swept
from presparse_boards.resources.inventory import Memory, MemoryShape, memories
from presparse_boards.resources.ration import Ration

BLOCK_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Words and bits of a DP16KD with one write and one read port (Lattice FPGA-TN-02204)."""
BYTE = 9
"""Bits of a word that can be written by themselves."""
WORTHWHILE = 12
"""Cells that a block must replace: what fewer hold stays beside its logic (docs/decisions/0038)."""
DEEPEST_DISTRIBUTED = 512
"""Words that distributed RAM may have: the choice among more cells takes more LUTs than the cells."""


def block_shape(depth: int) -> tuple[int, int]:
    """Words and bits of the blocks for a memory this deep. Raises ValueError if it is deeper than a block."""
    for words, bits in BLOCK_SHAPES:
        if words >= depth:
            return words, bits
    raise ValueError(f"a memory of blocks may be up to {BLOCK_SHAPES[-1][0]} words deep, and is {depth}")


def pieces(widths: Sequence[int], depth: int) -> list[list[tuple[int, int, int]]]:
    """Per block the pieces of fields it holds, a byte each at most: (field, first bit, last bit + 1)."""
    _, bits = block_shape(depth)
    part = min(bits, BYTE)
    parts = [(i, low, min(low + part, width)) for i, width in enumerate(widths) for low in range(0, width, part)]
    per_block = bits // part
    return [parts[i : i + per_block] for i in range(0, len(parts), per_block)]


def cells(widths: Sequence[int], depth: int) -> int:
    """Cells of 16 words of 4 bits that a memory takes as distributed RAM."""
    return -(-depth // 16) * sum(-(-width // 4) for width in widths)


@cache
def block_count(widths: tuple[int, ...], depth: int) -> int:
    """Blocks of one memory."""
    return len(pieces(widths, depth))


def suits_block(widths: tuple[int, ...], depth: int) -> bool:
    """Blocks are worth their while and deep enough. Yosys finds a place for what is smaller or deeper."""
    if depth > BLOCK_SHAPES[-1][0]:
        return False
    return depth > DEEPEST_DISTRIBUTED or cells(widths, depth) >= WORTHWHILE * block_count(widths, depth)


def plan_blocks(build: Build, capacity: Capacity, window: int) -> dict[MemoryShape, int]:
    """How many memories of each shape are made of block RAM; the others of that shape are to be distributed RAM.
    Memories that suit no block are left to Yosys. The link's are those of `window` requests.

    Those that save most LUTs per block come first, as long as there are blocks (docs/decisions/0038). The plan asks for
    more than there are only if memories too deep for anything else need them.
    """
    planned: dict[MemoryShape, int] = {}
    used = 0
    for memory in memories(build, window=window):
        if is_planned(memory):
            planned[memory.shape] = planned.get(memory.shape, 0) + memory.count
        else:
            used += memory.count * inferred(memory, MEMORY).blocks
    plan = dict.fromkeys(planned, 0)
    for shape in sorted(planned, key=_urgency, reverse=True):
        each, left = block_count(*shape), max(0, capacity.block_ram - used)
        plan[shape] = planned[shape] if _too_deep(shape) else min(planned[shape], left // each)
        used += plan[shape] * each
    return plan


def taken_memories(build: Build, capacity: Capacity, window: int) -> Callable[[Memory], Storage | None]:
    """As `Ecp5Primitives` gives: blocks as long as there are some for this shape, then distributed RAM."""
    blocks = Ration(plan_blocks(build, capacity, window))

    def taken(memory: Memory) -> Storage | None:
        if not (is_planned(memory) and memory.shape in blocks):  # an SDRAM's is not
            return None
        in_blocks = blocks.take(memory.shape, memory.count)
        others = memory.count - in_blocks
        in_cells = distributed(memory).times(others) + swept(memory, others)
        return Storage(blocks=in_blocks * block_count(*memory.shape)) + in_cells

    return taken


def is_planned(memory: Memory) -> bool:
    return memory.registered and suits_block(*memory.shape)


def _urgency(shape: MemoryShape) -> tuple[bool, float, MemoryShape]:
    return _too_deep(shape), cells(*shape) / block_count(*shape), shape


def _too_deep(shape: MemoryShape) -> bool:
    return shape[1] > DEEPEST_DISTRIBUTED
