"""What an iCE40 UltraPlus platform offers to gateware that knows no FPGA: multipliers with registers, and memories.

Synthesis is not left to find them: `synth_ice40 -dsp` of Yosys 0.70 makes a constant of a product that two registers
follow (it moves the second one into the block and leaves its own copy behind, without input).
"""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, signed

from presparse.contract.build import Build
from presparse.contract.schedule import MULTIPLY
from presparse_boards.families.ice40.cells import DSP
from presparse_boards.families.ice40.single_port_memory import single_port_memory
from presparse_boards.families.ice40.single_port_plan import plan_single_port
from presparse_boards.resources.capacity import Capacity
from presparse_boards.resources.multipliers import plan_multipliers
from presparse_boards.resources.ration import Ration
from presparse_hw.lib.delays import delay
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory


class Ice40Primitives:
    """To be mixed into an Amaranth platform. One object serves one elaboration: what it gave out is gone."""

    def plan(self, build: Build, capacity: Capacity, window: int) -> None:
        """Share the FPGA's multipliers and single-port RAM out; to be called before elaboration."""
        self._dsp = Ration(plan_multipliers(build, blocks=capacity.dsp, block=DSP).dsp)
        self._single_port = Ration(plan_single_port(build, capacity, window))

    def get_multiplier(self, multiplier: Multiplier) -> Module | None:
        """A DSP block as long as the plan has one for these widths, then what synthesis makes of LUTs."""
        return mac_multiplier(multiplier) if self._dsp.take(multiplier.widths) else None

    def get_registered_memory(self, memory: RegisteredMemory) -> Module | None:
        """Single-port RAM as long as the plan has some for this shape, then what synthesis finds."""
        if not memory.one_port or memory.shape not in self._single_port:
            return None
        return single_port_memory(memory) if self._single_port.take(memory.shape) else None


def mac_multiplier(multiplier: Multiplier) -> Module:
    """One SB_MAC16 with registers for operands, partial products and product (Lattice FPGA-TN-02007, DSP Function
    Usage Guide for iCE40 Devices), then plain registers."""
    m = Module()
    a, b = (Signal(signed(DSP.width), name=name) for name in "ab")
    product = Signal(signed(2 * DSP.width))
    m.d.comb += [a.eq(multiplier.a), b.eq(multiplier.b)]
    registers = ("A_REG", "B_REG", "TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG")
    registers += ("PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2")
    unused = ("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT")
    unused += ("ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN")
    m.submodules.block = Instance(
        "SB_MAC16",
        **{f"p_{name}": Const(1, 1) for name in (*registers, "A_SIGNED", "B_SIGNED")},
        **{f"p_{name}": Const(0, 1) for name in ("NEG_TRIGGER", "C_REG", "D_REG", "MODE_8x8")},
        **{f"p_{half}OUTPUT_SELECT": Const(3, 2) for half in ("TOP", "BOT")},  # the 16x16 product
        **{f"p_{half}ADDSUB_{name}": Const(0, 2) for half in ("TOP", "BOT") for name in ("LOWERINPUT", "CARRYSELECT")},
        **{f"p_{half}ADDSUB_UPPERINPUT": Const(0, 1) for half in ("TOP", "BOT")},
        i_CLK=ClockSignal(),
        i_CE=Const(1, 1),
        i_A=a,
        i_B=b,
        i_C=Const(0, DSP.width),
        i_D=Const(0, DSP.width),
        **{f"i_{name}": Const(0, 1) for name in unused},
        o_O=product,
    )
    used = product[: len(multiplier.product)].as_signed()
    m.d.comb += multiplier.product.eq(delay(m, used, MULTIPLY - DSP.registers, name="product"))
    return m
