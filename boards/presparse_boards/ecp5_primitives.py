"""What an ECP5 platform offers to gateware that knows no FPGA: multipliers and memories with their registers."""

from __future__ import annotations

from amaranth.hdl import Module

from presparse.contract.build import Build
from presparse_boards.board import Board
from presparse_boards.ecp5_block_plan import plan_blocks
from presparse_boards.ecp5_memory import block_memory
from presparse_boards.ecp5_multipliers import carry_multiplier, dsp_multiplier
from presparse_boards.memories import MemoryShape
from presparse_boards.multipliers import MultiplierPlan, Widths, plan_multipliers
from presparse_hw.multiplier import Multiplier
from presparse_hw.registered_memory import RegisteredMemory


class Ecp5Primitives:
    """To be mixed into an Amaranth platform. One object serves one elaboration: it counts what it gave out."""

    multiplier_plan: MultiplierPlan
    block_plan: dict[MemoryShape, int]

    def plan(self, build: Build, board: Board) -> None:
        """Share the FPGA's multipliers and memory blocks out; to be called before elaboration."""
        capacity = board.capacity
        self.multiplier_plan = plan_multipliers(build, blocks=capacity.dsp, block_width=capacity.dsp_width)
        self.block_plan = plan_blocks(build, capacity)
        self._multipliers: dict[Widths, int] = {}
        self._memories: dict[MemoryShape, int] = {}

    def get_multiplier(self, multiplier: Multiplier) -> Module:
        """A DSP block as long as the plan has one for these widths, then LUTs."""
        widths = (len(multiplier.a), len(multiplier.b))
        given = self._multipliers[widths] = self._multipliers.get(widths, 0) + 1
        return (dsp_multiplier if given <= self.multiplier_plan.dsp[widths] else carry_multiplier)(multiplier)

    def get_registered_memory(self, memory: RegisteredMemory) -> Module | None:
        """Block RAM as long as the plan has some for this shape, then distributed RAM; None leaves it to synthesis."""
        shape = (tuple(field.width for field in memory.fields), memory.depth)
        if shape not in self.block_plan:
            return None
        given = self._memories[shape] = self._memories.get(shape, 0) + 1
        if given <= self.block_plan[shape]:
            return block_memory(memory)
        memory.attrs["ram_style"] = "distributed"  # synthesis would rather have a block
        return None
