"""What all memories of a build take on a board."""

from __future__ import annotations

from fractions import Fraction

from presparse.contract.build import Build
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.sdram import plan_sdram
from presparse_boards.resources.inferred_memory import Storage, inferred, swept
from presparse_boards.resources.inventory import memories
from presparse_hw.store.sdram.chip import Sdram


def storage(build: Build, board: Board) -> Storage:
    """Blocks and cells, and logic beside them. Raises NoSdram."""
    found = Storage()
    taken = board.family.taken_memories(build, board.room, board.window)
    for memory in memories(build, window=board.window, sdram=_sdram(build, board)):
        stored = taken(memory)
        if stored is None:
            one = inferred(memory, board.family.memory)
            stored = one.times(memory.count) + swept(memory, memory.count if one.cells else 0)
        found += stored
    return found


def _sdram(build: Build, board: Board) -> Sdram | None:
    """At the board's default clock; its memories are hardly larger at another."""
    planned = plan_sdram(build, board, Fraction(board.default_clock_hz))
    return planned.sdram if planned else None
