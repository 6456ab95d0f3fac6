"""Single-port RAM of the iCE40 UltraPlus, for memories that are never read while they are written."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal

from presparse_boards.families.ice40.single_port_plan import BLOCK_BITS, BLOCK_WORDS
from presparse_hw.lib.registered_memory import RegisteredMemory

_NIBBLES = BLOCK_BITS // 4
_ADDRESS_BITS = (BLOCK_WORDS - 1).bit_length()


def single_port_memory(memory: RegisteredMemory) -> Module:
    """Blocks side by side, none of which holds more than one field; their contents are undefined at power-on.

    SB_SPRAM256KA (Lattice FPGA-TN-02022, iCE40 SPRAM Usage Guide) has one register, behind its address; the output
    register is made of flip-flops. What it gives while it is written is undefined.
    """
    m = Module()
    address = Signal(_ADDRESS_BITS)
    m.d.comb += address.eq(Mux(Cat(memory.write).any(), memory.write_address, memory.read_address))
    for i, (into, out) in enumerate(zip(memory.write_data, memory.read_data, strict=True)):
        word, data = Signal(len(into), name=f"word{i}"), Signal(len(into), name=f"data{i}", reset_less=True)
        for low in range(0, len(into), BLOCK_BITS):
            part = into[low : low + BLOCK_BITS]
            read = Signal(BLOCK_BITS, name=f"read{i}_{low}")
            m.d.comb += word[low : low + BLOCK_BITS].eq(read)
            m.submodules[f"block{i}_{low}"] = Instance(
                "SB_SPRAM256KA",
                i_ADDRESS=address,
                i_DATAIN=Cat(part, Const(0, BLOCK_BITS - len(part))),
                i_MASKWREN=Const(-1, _NIBBLES),
                i_WREN=memory.write[i],
                i_CHIPSELECT=memory.read_enable | memory.write[i],
                i_CLOCK=ClockSignal(),
                i_STANDBY=Const(0, 1),
                i_SLEEP=Const(0, 1),
                i_POWEROFF=Const(1, 1),  # low switches off
                o_DATAOUT=read,
            )
        with m.If(memory.read_enable):
            m.d.sync += data.eq(word)
        m.d.comb += out.eq(data)
    return m
