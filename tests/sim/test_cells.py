"""The models of ECP5 cells against Python models of what their documentation says, cycle by cycle."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal

import presparse_sim
from presparse_sim.design import Design
from presparse_sim.errors import CompileError
from tests.sim.vectors import field, piece_design, run

pytestmark = pytest.mark.slow


CELLS = Path(presparse_sim.__file__).parent / "cells"


def _cells(design: Design, model: str) -> Design:
    return replace(design, models=(CELLS / model,))


# ------------------------------------------------------------------------------------------------ MULT18X18D


@dataclass(frozen=True)
class Multiplier:
    """A configuration: which registers it has, whether operands are signed, and its reset."""

    input_a: bool = True
    input_b: bool = True
    pipeline: bool = True
    output: bool = True
    signed_a: bool = True
    signed_b: bool = True
    reset: str = "SYNC"

    def instance(self, i: Signal, product: Signal) -> Instance:
        """Register k has clock enable k and reset k: input A 0, input B 1, pipeline 2, output 3."""
        registers: dict[str, object] = {}
        for number, (name, there) in enumerate(
            (("INPUTA", self.input_a), ("INPUTB", self.input_b), ("PIPELINE", self.pipeline), ("OUTPUT", self.output))
        ):
            registers[f"p_REG_{name}_CLK"] = f"CLK{number}" if there else "NONE"
            registers[f"p_REG_{name}_CE"] = f"CE{number}"
            registers[f"p_REG_{name}_RST"] = f"RST{number}"
        return Instance(
            "MULT18X18D",
            **registers,
            p_RESETMODE=self.reset,
            **{f"i_A{k}": i[k] for k in range(18)},
            **{f"i_B{k}": i[18 + k] for k in range(18)},
            **{f"i_CE{k}": i[36 + k] for k in range(4)},
            **{f"i_RST{k}": i[40 + k] for k in range(4)},
            **{f"i_CLK{k}": ClockSignal() for k in range(4)},
            i_SIGNEDA=Const(self.signed_a, 1),
            i_SIGNEDB=Const(self.signed_b, 1),
            i_SOURCEA=Const(0, 1),
            i_SOURCEB=Const(0, 1),
            **{f"o_P{k}": product[k] for k in range(36)},
        )

    def model(self, inputs: list[int]) -> Iterator[int]:
        """P in every cycle."""
        registers: list[int] = [0, 0, 0, 0]
        for value in inputs:
            enable, clear = field(value, 36, 4), field(value, 40, 4)
            if self.reset == "ASYNC":  # at once, not only with the clock
                registers = [0 if clear >> k & 1 else old for k, old in enumerate(registers)]
            a, b = field(value, 0, 18, signed=self.signed_a), field(value, 18, 18, signed=self.signed_b)
            multiplied = (registers[0] if self.input_a else a) * (registers[1] if self.input_b else b)
            piped = registers[2] if self.pipeline else multiplied
            yield (registers[3] if self.output else piped) % 2**36
            following: list[int] = [a, b, multiplied, piped]
            registers = [
                0 if clear >> k & 1 else new if enable >> k & 1 else old
                for k, (old, new) in enumerate(zip(registers, following, strict=True))
            ]


MULTIPLIERS = (
    Multiplier(),
    Multiplier(reset="ASYNC"),
    Multiplier(signed_a=False),
    Multiplier(signed_b=False, output=False),
    Multiplier(signed_a=False, signed_b=False, pipeline=False),
    Multiplier(input_a=False, input_b=False, pipeline=False, output=False),
    Multiplier(input_a=False, input_b=False, pipeline=False, output=False, signed_a=False),
    Multiplier(input_b=False, pipeline=False),
    Multiplier(input_a=False, output=False),
)


def _multipliers(m: Module, i: Signal, o: Signal) -> None:
    for number, multiplier in enumerate(MULTIPLIERS):
        product = Signal(36, name=f"product{number}")
        m.submodules[f"multiplier{number}"] = multiplier.instance(i, product)
        m.d.comb += o[36 * number : 36 * (number + 1)].eq(product)


def multiplier_design() -> Design:
    return _cells(piece_design("mult18x18d", 44, 36 * len(MULTIPLIERS), _multipliers, __file__), "ecp5_dsp.v")


def multiplier_vectors() -> list[int]:
    """Operands of any value and of the extremes; enables mostly high, resets rarely."""
    rng = random.Random(1)
    vectors = []
    for _ in range(2000):
        a, b = (rng.choice((rng.getrandbits(18), 0x20000, 0x1FFFF, 0x3FFFF, 0)) for _ in range(2))
        enable = sum((rng.random() < 0.8) << k for k in range(4))
        clear = sum((rng.random() < 0.05) << k for k in range(4))
        vectors.append(a | b << 18 | enable << 36 | clear << 40)
    return vectors


def test_multipliers_of_all_register_configurations() -> None:
    vectors = multiplier_vectors()
    got = run(multiplier_design(), vectors)
    for number, multiplier in enumerate(MULTIPLIERS):
        assert [field(value, 36 * number, 36) for value in got] == list(multiplier.model(vectors)), multiplier


def test_a_multiplier_that_is_not_modelled_is_refused() -> None:
    def bypass(m: Module, i: Signal, o: Signal) -> None:
        m.submodules.multiplier = Instance("MULT18X18D", p_MULT_BYPASS="ENABLED", i_A0=i, o_P0=o)

    with pytest.raises(CompileError, match="the model knows no input register C, bypass"):
        run(_cells(piece_design("bypass", 1, 1, bypass, __file__), "ecp5_dsp.v"), [0])


# ---------------------------------------------------------------------------------------------------- DP16KD

CONTENTS = random.Random(2).getrandbits(1024 * 18)
"""Bit k of the memory before anything is written."""


@dataclass(frozen=True)
class Port:
    """One port's pins in the vectors, from bit `at`: AD 14, DI 18, CE, OCE, WE, RST, CS 3."""

    at: int
    width: int
    write_mode: str = "NORMAL"
    register: bool = False
    select: int = 0

    BITS = 14 + 18 + 4 + 3

    def pins(self, i: Signal, letter: str) -> dict[str, object]:
        names = [f"AD{letter}{k}" for k in range(14)] + [f"DI{letter}{k}" for k in range(18)]
        names += [f"{name}{letter}" for name in ("CE", "OCE", "WE", "RST")] + [f"CS{letter}{k}" for k in range(3)]
        return {
            **{f"i_{name}": i[self.at + k] for k, name in enumerate(names)},
            f"p_DATA_WIDTH_{letter}": self.width,
            f"p_WRITEMODE_{letter}": self.write_mode,
            f"p_REGMODE_{letter}": "OUTREG" if self.register else "NOREG",
            f"p_CSDECODE_{letter}": f"0b{self.select:03b}",
            f"i_CLK{letter}": ClockSignal(),
        }

    def bits(self, value: int) -> range:
        """The bits of the memory at the port's address. A byte of nine bits holds 8 of width 1, 4 of 2, 2 of 4."""
        address = field(value, self.at, 14)
        if self.width >= 9:
            start = address // (16 * self.width // 18) * self.width
        else:
            start = address // 8 * 9 + address % 8 // self.width * self.width
        return range(start, start + self.width)

    def pin(self, value: int, name: str) -> int:
        return field(value, self.at + 32 + ("CE", "OCE", "WE", "RST").index(name), 1)

    def active(self, value: int) -> bool:
        return self.pin(value, "CE") == 1 and field(value, self.at + 36, 3) == self.select

    def written(self, value: int, data: int) -> dict[int, int]:
        """New values by bit; wide words have a byte enable in the lowest address bits."""
        if not (self.active(value) and self.pin(value, "WE")) or self.pin(value, "RST"):
            return {}
        address = field(value, self.at, 14)
        return {
            bit: data >> k & 1 for k, bit in enumerate(self.bits(value)) if self.width < 18 or address >> k // 9 & 1
        }


@dataclass(frozen=True)
class Ram:
    a: Port
    b: Port
    reset: str = "SYNC"

    @property
    def wide(self) -> bool:
        return self.a.width == 36

    def instance(self, i: Signal, out_a: Signal, out_b: Signal) -> Instance:
        words = [CONTENTS >> 18 * k & 0x3FFFF for k in range(1024)]
        rows = [sum(word << 20 * k for k, word in enumerate(words[row * 16 : row * 16 + 16])) for row in range(64)]
        return Instance(
            "DP16KD",
            **self.a.pins(i, "A"),
            **self.b.pins(i, "B"),
            **{f"p_INITVAL_{row:02X}": Const(value, 320) for row, value in enumerate(rows)},
            p_RESETMODE=self.reset,
            **{f"o_DOA{k}": out_a[k] for k in range(18)},
            **{f"o_DOB{k}": out_b[k] for k in range(18)},
        )

    def model(self, inputs: list[int]) -> Iterator[tuple[int, int]]:
        """(DOA, DOB) in every cycle."""
        memory = [CONTENTS >> k & 1 for k in range(1024 * 18)]
        latch, register = [0, 0], [0, 0]
        for value in inputs:
            ports = (self.a, self.b)
            for k, port in enumerate(ports):
                if self.reset == "ASYNC" and port.pin(value, "RST"):
                    latch[k] = register[k] = 0
            shown = [register[k] if port.register else latch[k] for k, port in enumerate(ports)]
            yield (shown[1] & 0x3FFFF, shown[1] >> 18) if self.b.width == 36 else (shown[0], shown[1])
            data = [field(value, port.at + 14, 18) for port in ports]
            if self.wide:
                data[0] |= data[1] << 18
            written = [self.a.written(value, data[0]), {} if self.wide else self.b.written(value, data[1])]
            for k, port in enumerate(ports):
                if port.pin(value, "RST"):
                    latch[k] = register[k] = 0
                    continue
                if port.pin(value, "OCE"):
                    register[k] = latch[k]
                writes = port.pin(value, "WE") and not (self.wide and k == 1)
                if not port.active(value) or (writes and port.write_mode == "NORMAL"):
                    continue
                other = written[1 - k]
                own = written[k] if port.write_mode == "WRITETHROUGH" else {}
                seen = [own.get(bit, memory[bit]) ^ (bit in other) for bit in port.bits(value)]
                latch[k] = sum(bit << n for n, bit in enumerate(seen))
            for bits in written:
                for bit, new in bits.items():
                    memory[bit] = new


def _ram(width_a: int, width_b: int, mode: str = "NORMAL", register: bool = False, select: int = 0) -> Ram:
    return Ram(Port(0, width_a, mode, register, select), Port(Port.BITS, width_b, mode, register, 7 - select))


RAMS = (
    *(_ram(width, width) for width in (1, 2, 4, 9, 18)),
    _ram(36, 36),
    _ram(36, 36, register=True),
    _ram(36, 36, "READBEFOREWRITE", register=True),
    *(_ram(36, width) for width in (1, 2, 4, 9, 18)),
    _ram(1, 18, "WRITETHROUGH"),
    _ram(18, 4, "READBEFOREWRITE"),
    _ram(9, 2, "READBEFOREWRITE", register=True),
    _ram(18, 18, "WRITETHROUGH", register=True, select=5),
    replace(_ram(18, 9, "WRITETHROUGH", register=True), reset="ASYNC"),
)


def _rams(m: Module, i: Signal, o: Signal) -> None:
    for number, ram in enumerate(RAMS):
        out_a, out_b = Signal(18, name=f"out_a{number}"), Signal(18, name=f"out_b{number}")
        m.submodules[f"ram{number}"] = ram.instance(i, out_a, out_b)
        m.d.comb += [o[36 * number : 36 * number + 18].eq(out_a), o[36 * number + 18 : 36 * number + 36].eq(out_b)]


def _ram_vectors(select_a: int, select_b: int) -> list[int]:
    """Few addresses, so that ports meet; never two writes at once, whose outcome is undefined."""
    rng = random.Random(3)
    vectors = []
    for _ in range(3000):
        value = 0
        writer = rng.randrange(4)
        for k, select in enumerate((select_a, select_b)):
            address = rng.choice((0x0000, 0x1540, 0x3FC0)) | rng.getrandbits(6)
            pins = (rng.random() < 0.9) | (rng.random() < 0.8) << 1 | (writer == k) << 2 | (rng.random() < 0.03) << 3
            chosen = select if rng.random() < 0.9 else rng.getrandbits(3)
            value |= (address | rng.getrandbits(18) << 14 | pins << 32 | chosen << 36) << k * Port.BITS
        vectors.append(value)
    return vectors


def test_memories_of_all_widths_and_modes() -> None:
    design = _cells(piece_design("dp16kd", 2 * Port.BITS, 36 * len(RAMS), _rams, __file__), "ecp5_ram.v")
    for select in (0, 5):
        vectors = _ram_vectors(select, 7 - select)
        got = run(design, vectors)
        for number, ram in enumerate(RAMS):
            if ram.a.select == select:
                shown = [(field(v, 36 * number, 18), field(v, 36 * number + 18, 18)) for v in got]
                wanted = list(ram.model(vectors))
                if ram.wide and ram.b.width < 36:  # of port A, which only writes, nothing is said
                    assert [b for _, b in shown] == [b for _, b in wanted], ram
                else:
                    assert shown == wanted, ram


def test_a_memory_that_is_not_modelled_is_refused() -> None:
    def uneven(m: Module, i: Signal, o: Signal) -> None:
        m.submodules.ram = Instance("DP16KD", p_DATA_WIDTH_A=18, p_DATA_WIDTH_B=36, i_ADA0=i, o_DOA0=o)

    with pytest.raises(CompileError, match="port B reads 36 bits only where port A writes 36"):
        run(_cells(piece_design("uneven", 1, 1, uneven, __file__), "ecp5_ram.v"), [0])
