"""What all memories of a build take on a board."""

from __future__ import annotations

from presparse.contract.build import Build
from presparse_boards.board import Board
from presparse_boards.ecp5_block_plan import MemoryShape, block_count, is_planned, plan_blocks
from presparse_boards.inferred_memory import Storage, choice, distributed, inferred
from presparse_boards.memories import Memory, memories


def storage(build: Build, board: Board) -> Storage:
    """Blocks and cells, and logic beside them."""
    found = Storage()
    left = plan_blocks(build, board.capacity) if board.family == "ecp5" else {}
    for memory in memories(build, window=board.window):
        if board.family == "ecp5" and is_planned(memory):
            found += _planned(memory, left)
        else:
            one = inferred(memory, board.family)
            found += one.times(memory.count) + _swept(memory, memory.count if one.cells else 0)
    return found


def _planned(memory: Memory, left: dict[MemoryShape, int]) -> Storage:
    """As `Ecp5Primitives` gives: blocks as long as there are some for this shape, then distributed RAM."""
    shape = (memory.fields, memory.depth)
    in_blocks = min(memory.count, left[shape])
    left[shape] -= in_blocks
    others = memory.count - in_blocks
    in_cells = distributed(memory).times(others) + _swept(memory, others)
    return Storage(blocks=in_blocks * block_count(*shape)) + in_cells


def _swept(memory: Memory, count: int) -> Storage:
    """What holds or chooses only bits that nobody reads, in cells of `count` memories: every second one has some."""
    every_second, stacked = (count + 1) // 2, -(-memory.depth // 16)
    cells, luts = memory.unread // 4 * stacked, memory.unread * choice(stacked)
    return Storage(cells=-every_second * cells, luts=-every_second * luts, registers=-every_second * 2 * memory.unread)
