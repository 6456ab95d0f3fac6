"""A memory of any depth: registered memories, and a register behind the choice among them."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.schedule import READ
from presparse_hw.lib.delays import later
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_hw.lib.sizes import BANK_BITS

BANK_LATENCY = READ + 1
"""Cycles from address to data."""


class Banks(wiring.Component):
    """Words of several fields that are written each by itself and read together, `BANK_LATENCY` cycles after their
    address. A word that is read while it is written is undefined.

    Parameters
    ----------
    widths : of the fields, bits
    depth : words

    Members
    -------
    move : In(1)             while low, reading stands still
    address : In             of the read
    data : Out               the fields, the first lowest
    write_address : In, write_data : In (the fields), write : In(fields)
    """

    move: Signal
    address: Signal
    data: Signal
    write_address: Signal
    write_data: Signal
    write: Signal

    def __init__(self, widths: Sequence[int], depth: int) -> None:
        self._widths, self._depth = widths, depth
        super().__init__(
            {
                "move": In(1),
                "address": In(range(depth)),
                "data": Out(sum(widths)),
                "write_address": In(range(depth)),
                "write_data": In(sum(widths)),
                "write": In(len(widths)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = 1 << BANK_BITS
        bank = later(m, self.address[BANK_BITS:], READ, self.move, name="bank")
        chosen = None
        for number, first in enumerate(range(0, self._depth, size)):
            memory = RegisteredMemory([unsigned(width) for width in self._widths], min(size, self._depth - first))
            m.submodules[f"bank{number}"] = memory
            here = self.write_address[BANK_BITS:] == number
            m.d.comb += [
                memory.read_enable.eq(self.move),
                memory.read_address.eq(self.address),
                memory.write_address.eq(self.write_address),
            ]
            start = 0
            for i, width in enumerate(self._widths):
                m.d.comb += [
                    memory.write[i].eq(self.write[i] & here),
                    memory.write_data[i].eq(self.write_data[start : start + width]),
                ]
                start += width
            data = Cat(memory.read_data)
            chosen = data if chosen is None else Mux(bank == number, data, chosen)
        held = Signal(len(self.data), reset_less=True)
        with m.If(self.move):
            m.d.sync += held.eq(chosen)
        m.d.comb += self.data.eq(held)
        return m
