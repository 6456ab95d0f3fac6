"""The pads of an SDRAM, and what the controller and the way back tell each other."""

from __future__ import annotations

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse_hw.store.sdram.chip import SdramChip

READ_PHASES = 4
"""Moments at which read data may be sampled, half a cycle apart."""


class SdramPadSignature(wiring.Signature):
    """All pads but the clock, seen from the controller; outputs are registers.

    A command of cycle t is taken by a chip without any delay at the end of cycle t, and its data are there at the end
    of cycle t + cas. Read phase p is sampled p half cycles after the middle of that cycle: wires, pads, the chip and
    its clock may be so late.

    Members
    -------
    cke : Out(1)
    cs, ras, cas, we : Out(1)   1: selected, asserted; pads invert
    ba, a : Out
    dqm : Out                   bits are 1 for bytes to leave alone; all 0 once the chip has started
    dq_o : Out, dq_oe : Out(1)
    dq_i : In.array(2)          in cycle t what was there in the middle of cycle t - 1, and at its end
    """

    def __init__(self, chip: SdramChip) -> None:
        super().__init__(
            {
                "cke": Out(1),
                "cs": Out(1),
                "ras": Out(1),
                "cas": Out(1),
                "we": Out(1),
                "ba": Out(chip.bank_bits),
                "a": Out(chip.address_pins),
                "dqm": Out(chip.width // 8, init=(1 << chip.width // 8) - 1),
                "dq_o": Out(chip.width),
                "dq_oe": Out(1),
                "dq_i": In(chip.width).array(2),
            }
        )


class AskedLayout(data.StructLayout):
    """A column that is read by the command of the next cycle.

    `valid`: there is one; `first`: it holds a sample's first word; `by_host`: it is of a command of the host's.
    """

    def __init__(self) -> None:
        super().__init__({"valid": 1, "first": 1, "by_host": 1})


class LengthLayout(data.StructLayout):
    """How many columns a sample takes, for one cycle (`valid`): all of them, and the others than the first."""

    def __init__(self, most_columns: int) -> None:
        super().__init__({"columns": range(most_columns + 1), "others": range(most_columns + 1), "valid": 1})
