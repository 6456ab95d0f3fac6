"""What all memories of a build take on a board."""

from __future__ import annotations

from presparse.contract.build import Build
from presparse_boards.boards.definition import Board
from presparse_boards.resources.inferred_memory import Storage, inferred, swept
from presparse_boards.resources.inventory import memories


def storage(build: Build, board: Board) -> Storage:
    """Blocks and cells, and logic beside them."""
    found = Storage()
    taken = board.family.taken_memories(build, board.capacity, board.window)
    for memory in memories(build, window=board.window):
        stored = taken(memory)
        if stored is None:
            one = inferred(memory, board.family.memory)
            stored = one.times(memory.count) + swept(memory, memory.count if one.cells else 0)
        found += stored
    return found
