"""What an ECP5 platform offers to gateware that knows no FPGA: multipliers and memories with their registers."""

from __future__ import annotations

from amaranth.hdl import Module

from presparse.contract.build import Build
from presparse_boards.families.ecp5.block_memory import block_memory
from presparse_boards.families.ecp5.block_plan import plan_blocks
from presparse_boards.families.ecp5.cells import DSP
from presparse_boards.families.ecp5.multipliers import carry_multiplier, dsp_multiplier
from presparse_boards.resources.capacity import Capacity
from presparse_boards.resources.multipliers import plan_multipliers
from presparse_boards.resources.ration import Ration
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory


class Ecp5Primitives:
    """To be mixed into an Amaranth platform. One object serves one elaboration: what it gave out is gone."""

    def plan(self, build: Build, capacity: Capacity, window: int) -> None:
        """Share the FPGA's multipliers and memory blocks out; to be called before elaboration."""
        self._dsp = Ration(plan_multipliers(build, blocks=capacity.dsp, block=DSP).dsp)
        self._blocks = Ration(plan_blocks(build, capacity, window))

    def get_multiplier(self, multiplier: Multiplier) -> Module:
        """A DSP block as long as the plan has one for these widths, then LUTs."""
        return (dsp_multiplier if self._dsp.take(multiplier.widths) else carry_multiplier)(multiplier)

    def get_registered_memory(self, memory: RegisteredMemory) -> Module | None:
        """Block RAM as long as the plan has some for this shape, then distributed RAM; None leaves it to synthesis."""
        if memory.shape not in self._blocks:
            return None
        if self._blocks.take(memory.shape):
            return block_memory(memory)
        memory.attrs["ram_style"] = "distributed"  # synthesis would rather have a block
        return None
