"""Block RAM of the ECP5 with its output register, which synthesis does not use by itself."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from presparse_boards.families.ecp5.block_plan import BYTE, block_shape, pieces
from presparse_hw.lib.registered_memory import RegisteredMemory

_ADDRESS_BITS = 14
"""Of a block as 16,384 words of one bit; wider words are addressed by the upper ones."""
_PINS = 2 * BYTE
"""For data, of a port; a word of 36 bits takes those of both ports."""


def block_memory(memory: RegisteredMemory) -> Module:
    """Blocks side by side. Fields share a block as far as they are written by whole bytes of it.

    Raises ValueError if the memory is deeper than a block.
    """
    m = Module()
    written, read = [], []
    for i, shape in enumerate(memory.fields):
        into, out = Signal(shape.width, name=f"into{i}"), Signal(shape.width, name=f"out{i}")
        m.d.comb += [into.eq(memory.write_data[i]), memory.read_data[i].eq(out)]
        written.append(into)
        read.append(out)
    for number, parts in enumerate(pieces([shape.width for shape in memory.fields], memory.depth)):
        m.submodules[f"block{number}"] = _block(
            memory, [(memory.write[i], written[i][low:high], read[i][low:high], low) for i, low, high in parts]
        )
    return m


def _block(memory: RegisteredMemory, parts: list[tuple[Value, Value, Value, int]]) -> Instance:
    """One DP16KD: port A writes, port B reads; `parts`, a byte each if the block has some, are (write, data in, data
    out, first bit of the field)."""
    words, bits = block_shape(memory.depth)
    zero, one = Const(0, 1), Const(1, 1)
    below = _ADDRESS_BITS - (words - 1).bit_length()
    low = {"A": [zero] * below, "B": [zero] * below}
    has_bytes = bits > BYTE
    if has_bytes:  # the lowest address bits of a write are its byte enables
        low["A"][: len(parts)] = [write for write, *_ in parts]
    pins: dict[str, Value] = {}
    for port, address in (("A", memory.write_address), ("B", memory.read_address)):
        full = [*low[port], *address]
        full += [zero] * (_ADDRESS_BITS - len(full))
        pins |= {f"i_AD{port}{i}": bit for i, bit in enumerate(full)}
        pins |= {f"i_CS{port}{i}": zero for i in range(3)}
        pins |= {f"i_DI{port}{k}": zero for k in range(_PINS)}
    for i, (_, into, out, _) in enumerate(parts):
        port, first = "AB"[i // 2], i % 2 * BYTE
        pins |= {f"i_DI{port}{first + k}": into[k] for k in range(len(into))}
        # The lower half of 36 bits comes out of port A's pins; a narrower word out of those of port B, which reads.
        pins |= {f"o_DO{port if bits > _PINS else 'B'}{first + k}": out[k] for k in range(len(out))}
    return Instance(
        "DP16KD",
        p_DATA_WIDTH_A=bits,
        p_DATA_WIDTH_B=bits,
        p_REGMODE_A="OUTREG",
        p_REGMODE_B="OUTREG",
        p_RESETMODE="SYNC",
        p_WRITEMODE_A="READBEFOREWRITE",
        p_WRITEMODE_B="READBEFOREWRITE",
        p_GSR="DISABLED",
        p_CSDECODE_A="0b000",
        p_CSDECODE_B="0b000",
        p_CLKAMUX="CLKA",
        p_CLKBMUX="CLKB",
        i_CLKA=ClockSignal(),
        i_CLKB=ClockSignal(),
        i_WEA=one if has_bytes else Cat(write for write, *_ in parts).any(),
        i_WEB=zero,
        i_CEA=one,
        i_CEB=memory.read_enable,
        i_OCEA=memory.read_enable,
        i_OCEB=memory.read_enable,
        i_RSTA=zero,
        i_RSTB=zero,
        **(_initial(memory, bits, parts) if memory.init else {}),
        **pins,
    )


def _initial(memory: RegisteredMemory, bits: int, parts: list[tuple[Value, Value, Value, int]]) -> dict[str, Const]:
    """First contents: the block's bits in order, 16 times 18 of them in each of 64 parameters, 20 apart."""
    content = 0
    for address, word in enumerate(memory.init):
        for i, (_, into, _, first) in enumerate(parts):
            content |= (word >> first & (1 << len(into)) - 1) << address * bits + i * BYTE
    parameters = {}
    for row in range(64):
        value = sum((content >> (row * 16 + i) * _PINS & (1 << _PINS) - 1) << i * 20 for i in range(16))
        parameters[f"p_INITVAL_{row:02X}"] = Const(value, 320)
    return parameters
