"""What all memories of a build take on a board."""

from __future__ import annotations

from presparse.contract.build import Build
from presparse_boards.boards.definition import Board
from presparse_boards.families.ecp5.block_plan import block_count, is_planned, plan_blocks
from presparse_boards.families.ice40.single_port_plan import plan_single_port, single_port_blocks
from presparse_boards.resources.inferred_memory import Storage, choice, distributed, inferred
from presparse_boards.resources.inventory import Memory, MemoryShape, memories
from presparse_boards.resources.ration import Ration


def storage(build: Build, board: Board) -> Storage:
    """Blocks and cells, and logic beside them."""
    found = Storage()
    blocks = Ration(plan_blocks(build, board.capacity) if board.family == "ecp5" else {})
    single_port = Ration(plan_single_port(build, board) if board.family == "ice40" else {})
    for memory in memories(build, window=board.window):
        if board.family == "ecp5" and is_planned(memory):
            found += _planned(memory, blocks)
        elif memory.one_port and memory.shape in single_port:
            found += _single_port(memory, single_port)
        else:
            one = inferred(memory, board.family)
            found += one.times(memory.count) + _swept(memory, memory.count if one.cells else 0)
    return found


def _planned(memory: Memory, blocks: Ration[MemoryShape]) -> Storage:
    """As `Ecp5Primitives` gives: blocks as long as there are some for this shape, then distributed RAM."""
    in_blocks = blocks.take(memory.shape, memory.count)
    others = memory.count - in_blocks
    in_cells = distributed(memory).times(others) + _swept(memory, others)
    return Storage(blocks=in_blocks * block_count(*memory.shape)) + in_cells


def _single_port(memory: Memory, single_port: Ration[MemoryShape]) -> Storage:
    """As `Ice40Primitives` gives: single-port RAM as long as there is some for this shape, then block RAM."""
    moved = single_port.take(memory.shape, memory.count)
    one = Storage(
        single_port=single_port_blocks(memory.fields),
        luts=(memory.depth - 1).bit_length(),
        registers=sum(memory.fields),
    )
    return one.times(moved) + inferred(memory, "ice40").times(memory.count - moved)


def _swept(memory: Memory, count: int) -> Storage:
    """What holds or chooses only bits that nobody reads, in cells of `count` memories: every second one has some."""
    every_second, stacked = (count + 1) // 2, -(-memory.depth // 16)
    cells, luts = memory.unread // 4 * stacked, memory.unread * choice(stacked)
    return Storage(cells=-every_second * cells, luts=-every_second * luts, registers=-every_second * 2 * memory.unread)
