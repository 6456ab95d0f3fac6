"""A memory whose data come out of a register: what a block RAM is at full speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Elaboratable, Module, Shape, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out


class RegisteredMemory(wiring.Component):
    """Words of several fields that are written each by itself and read together, `schedule.READ` cycles after their
    address.

    Without its output register a block RAM of an ECP5 needs 5.8 ns, with it 1 ns. A platform that can use it
    offers `get_registered_memory(memory)`, which returns what is elaborated instead, or None; `attrs` then tell
    synthesis what it should be.

    What is read from an address in the cycle in which it is written is undefined.

    Parameters
    ----------
    fields : Sequence[Shape]
    depth : int
    init : Sequence[int]  the first words of a memory with one field (default: zeros)
    one_port : bool       whoever uses it never looks at what was read, from any address, in the cycle of a write

    Members
    -------
    write : In(1).array, write_address : In, write_data : In per field
    read_address : In, read_data : Out per field
    read_enable : In(1)   while low, reading stands still: both stages keep what they hold (1 if left alone)
    """

    write: Sequence[Signal]
    write_address: Signal
    read_address: Signal
    read_enable: Signal

    def __init__(
        self, fields: Sequence[Shape], depth: int, *, init: Sequence[int] = (), one_port: bool = False
    ) -> None:
        self.fields = tuple(fields)
        self.depth = depth
        self.init = tuple(init)
        self.one_port = one_port
        self.attrs: dict[str, int | str] = {"no_rw_check": 1}
        super().__init__(
            {
                "write": In(1).array(len(self.fields)),
                "write_address": In(range(depth)),
                "read_address": In(range(depth)),
                "read_enable": In(1, init=1),
                **{f"write_data{i}": In(shape) for i, shape in enumerate(self.fields)},
                **{f"read_data{i}": Out(shape) for i, shape in enumerate(self.fields)},
            }
        )

    @property
    def shape(self) -> tuple[tuple[int, ...], int]:
        """Widths of the fields, and depth: memories of one shape are interchangeable."""
        return tuple(field.width for field in self.fields), self.depth

    @property
    def write_data(self) -> tuple[Signal, ...]:
        return tuple(getattr(self, f"write_data{i}") for i in range(len(self.fields)))

    @property
    def read_data(self) -> tuple[Signal, ...]:
        return tuple(getattr(self, f"read_data{i}") for i in range(len(self.fields)))

    def elaborate(self, platform: Any) -> Module | Elaboratable:
        if hasattr(platform, "get_registered_memory"):
            replacement = platform.get_registered_memory(self)
            if replacement is not None:
                return replacement
        m = Module()
        for i, shape in enumerate(self.fields):
            m.submodules[f"field{i}"] = words = memory.Memory(
                shape=shape, depth=self.depth, init=self.init, attrs=dict(self.attrs)
            )
            # Synthesis makes these registers the block's own. A synchronous port would promise what is read in a
            # collision, and cost comparators and registers that keep the promise.
            write, read = words.write_port(), words.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.write[i]),
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data[i]),
                read.addr.eq(self.read_address),
            ]
            word, data = (Signal(shape, name=f"{name}{i}", reset_less=True) for name in ("word", "data"))
            with m.If(self.read_enable):
                m.d.sync += [word.eq(read.data), data.eq(word)]
            m.d.comb += self.read_data[i].eq(data)
        return m
