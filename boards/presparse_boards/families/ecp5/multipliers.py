"""The ECP5's two ways to multiply with all registers where the speed is: a DSP block, or carry chains.

Both take `MULTIPLY` cycles, like the behavioural multiplier that simulation uses.
"""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value, signed

from presparse.contract.schedule import MULTIPLY, tree_levels
from presparse_boards.families.ecp5.cells import DSP
from presparse_boards.families.ecp5.multiplier_cost import MAX_ROWS
from presparse_hw.lib.delays import delay
from presparse_hw.lib.multiplier import Multiplier


def dsp_multiplier(multiplier: Multiplier) -> Module:
    """One MULT18X18D with its input, pipeline and output registers (Lattice FPGA-TN-02205), then plain registers."""
    m = Module()
    a, b = (Signal(signed(DSP.width), name=name) for name in "ab")
    product = Signal(signed(2 * DSP.width))
    m.d.comb += [a.eq(multiplier.a), b.eq(multiplier.b)]
    registers = {
        f"p_REG_{register}_{kind}": source
        for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")
        for kind, source in (("CLK", "CLK0"), ("CE", "CE0"), ("RST", "RST0"))
    }
    m.submodules.block = Instance(
        "MULT18X18D",
        **registers,
        p_REG_INPUTC_CLK="NONE",
        p_CLK0_DIV="ENABLED",
        p_GSR="DISABLED",
        p_SOURCEB_MODE="B_SHIFT",
        p_MULT_BYPASS="DISABLED",
        p_RESETMODE="SYNC",
        i_CLK0=ClockSignal(),
        i_CE0=Const(1),
        i_RST0=Const(0),
        i_SIGNEDA=Const(1),
        i_SIGNEDB=Const(1),
        i_SOURCEA=Const(0),
        i_SOURCEB=Const(0),
        **{f"i_A{i}": a[i] for i in range(DSP.width)},
        **{f"i_B{i}": b[i] for i in range(DSP.width)},
        **{f"o_P{i}": product[i] for i in range(2 * DSP.width)},
    )
    used = product[: len(multiplier.product)].as_signed()
    m.d.comb += multiplier.product.eq(delay(m, used, MULTIPLY - DSP.registers, name="product"))
    return m


def carry_multiplier(multiplier: Multiplier) -> Module:
    """Partial products of two bits of the narrower operand each, made inside carry chains, and an adder tree with a
    register per level. Operands of up to 8 bits leave a cycle for registers behind the partial products, too.

    A carry cell holds a function of four bits besides its adder: enough for `a AND b0` plus `2a AND b1`, so a row
    costs one LUT per bit (`multiplier_cost.carry_multiplier_cost` counts them). A 12 x 10 bit product takes some 150
    LUTs, a quarter of what synthesis makes of `a * b`.
    """
    m = Module()
    wide, narrow = sorted((multiplier.a, multiplier.b), key=len, reverse=True)
    digits = (len(narrow) + 1) // 2
    if digits > MAX_ROWS:
        raise ValueError(f"the narrower operand may have up to {2 * MAX_ROWS} bits, and has {len(narrow)}")
    bits = [narrow[min(i, len(narrow) - 1)] for i in range(2 * digits)]  # sign-extended to whole digits
    level: list[Value] = []
    for digit in range(digits):
        low, high = bits[2 * digit : 2 * digit + 2]
        level.append(_digit_times(m, wide, low, high, top=digit == digits - 1, name=f"row{digit}"))
    spare = MULTIPLY - tree_levels(digits)
    if spare:
        level = [delay(m, row, 1, name=f"product{digit}") for digit, row in enumerate(level)]
    weight = 2  # bits by which a row is worth more than the one before
    for depth in range(tree_levels(digits)):
        sums: list[Value] = []
        for i in range(0, len(level), 2):
            if i + 1 == len(level):
                total = Signal.like(level[i], name=f"sum{depth}_{i // 2}", reset_less=True)
                m.d.sync += total.eq(level[i])
            else:
                high = (level[i] >> weight) + level[i + 1]
                total = Signal(signed(weight + len(high)), name=f"sum{depth}_{i // 2}", reset_less=True)
                m.d.sync += total.eq(Cat(level[i][:weight], high))
            sums.append(total)
        level = sums
        weight *= 2
    m.d.comb += multiplier.product.eq(delay(m, level[0], max(0, spare - 1), name="product"))
    return m


# Functions of (A, B, C, D) as the truth tables of CCU2C: bit A + 2B + 4C + 8D. The carry out is the sum's carry
# because with C = D = 0 each is one of the two terms, and a carry out is a term whenever both are equal.
_SUM = sum(
    ((a & b) ^ (c & d)) << (a + 2 * b + 4 * c + 8 * d) for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1)
)
_DIFFERENCE = 0xFFFF ^ _SUM
"""NOT(A AND B) plus (C AND D)."""


def _digit_times(m: Module, value: Value, low: Value, high: Value, *, top: bool, name: str) -> Value:
    """value * (low + 2 high), or value * (low - 2 high) in the `top` digit: one carry chain."""
    width = len(value) + 2

    def bit(i: int) -> Value:
        return value[min(i, len(value) - 1)] if i >= 0 else Const(0, 1)

    # (A, B, C, D) of every position; a difference begins with one that only makes the carry in.
    if top:
        init = _DIFFERENCE
        positions = [(Const(0, 1), Const(0, 1), Const(1, 1), Const(1, 1))]
        positions += [(bit(i - 1), high, bit(i), low) for i in range(width)]
    else:
        init = _SUM
        positions = [(bit(i), low, bit(i - 1), high) for i in range(width)]
    start = len(positions) - width
    if len(positions) % 2:
        positions.append(positions[-1])
    sums = Signal(len(positions), name=f"{name}_chain")
    carry: Value = Const(0, 1)
    for i in range(0, len(positions), 2):
        following = Signal(name=f"{name}_carry{i}")
        (a0, b0, c0, d0), (a1, b1, c1, d1) = positions[i], positions[i + 1]
        m.submodules[f"{name}_cell{i}"] = Instance(
            "CCU2C",
            p_INIT0=Const(init, 16),
            p_INIT1=Const(init, 16),
            p_INJECT1_0="NO",
            p_INJECT1_1="NO",
            i_CIN=carry,
            i_A0=a0,
            i_B0=b0,
            i_C0=c0,
            i_D0=d0,
            i_A1=a1,
            i_B1=b1,
            i_C1=c1,
            i_D1=d1,
            o_S0=sums[i],
            o_S1=sums[i + 1],
            o_COUT=following,
        )
        carry = following
    row = Signal(signed(width), name=name)
    m.d.comb += row.eq(sums[start : start + width])
    return row
