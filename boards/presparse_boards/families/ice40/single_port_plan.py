"""Which memories of an iCE40 UltraPlus design get single-port RAM: as many as block RAM has no room for."""

from __future__ import annotations

from collections.abc import Callable

from presparse.contract.build import Build
from presparse_boards.families.ice40.cells import MEMORY
from presparse_boards.resources.capacity import Capacity
from presparse_boards.resources.inferred_memory import Storage, inferred
from presparse_boards.resources.inventory import Memory, MemoryShape, memories
from presparse_boards.resources.ration import Ration

BLOCK_WORDS = 1 << 14
BLOCK_BITS = 16
"""Words and bits of an SB_SPRAM256KA (Lattice FPGA-TN-02022)."""


def single_port_blocks(widths: tuple[int, ...]) -> int:
    """Blocks of one memory: none holds more than one field."""
    return sum(-(-width // BLOCK_BITS) for width in widths)


def plan_single_port(build: Build, capacity: Capacity, window: int) -> dict[MemoryShape, int]:
    """How many memories of each shape are made of single-port RAM; the others are left to Yosys.

    Block RAM lies all over the chip, single-port RAM at its edges: so block RAM comes first. What is too much for it
    moves, beginning with the memories that free most block RAM for a block of single-port RAM.
    """
    found = memories(build, window=window)
    short = sum(_blocks(memory) * memory.count for memory in found) - capacity.block_ram
    left = capacity.single_port_ram
    plan: dict[MemoryShape, int] = {}
    for memory in sorted((m for m in found if _suits(m)), key=_worth, reverse=True):
        for _ in range(memory.count):
            if short <= 0 or single_port_blocks(memory.fields) > left:
                break
            plan[memory.shape] = plan.get(memory.shape, 0) + 1
            left -= single_port_blocks(memory.fields)
            short -= _blocks(memory)
    return plan


def taken_memories(build: Build, capacity: Capacity, window: int) -> Callable[[Memory], Storage | None]:
    """As `Ice40Primitives` gives: single-port RAM as long as there is some for this shape, then block RAM."""
    single_port = Ration(plan_single_port(build, capacity, window))

    def taken(memory: Memory) -> Storage | None:
        if not memory.one_port or memory.shape not in single_port:
            return None
        moved = single_port.take(memory.shape, memory.count)
        one = Storage(
            single_port=single_port_blocks(memory.fields),
            luts=(memory.depth - 1).bit_length(),
            registers=sum(memory.fields),
        )
        return one.times(moved) + inferred(memory, MEMORY).times(memory.count - moved)

    return taken


def _suits(memory: Memory) -> bool:
    return memory.one_port and memory.depth <= BLOCK_WORDS and _blocks(memory) > 0


def _blocks(memory: Memory) -> int:
    """Of block RAM, that one takes."""
    return inferred(memory, MEMORY).blocks


def _worth(memory: Memory) -> tuple[float, MemoryShape]:
    return _blocks(memory) / single_port_blocks(memory.fields), memory.shape
