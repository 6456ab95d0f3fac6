"""What the test of a memory notices: its commands, played to memories with every fault of one bit or two."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import combinations

import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.store import StoreState
from presparse_hw.store.sdram.chip import M12L16161A_PAIR, MT48LC16M16A2
from presparse_hw.store.sdram.ports import READ_PHASES
from presparse_hw.store.sdram.self_test import PATTERNS, SelfTest, middle
from tests.hw.bench import simulate

WORDS = (MT48LC16M16A2.words, M12L16161A_PAIR.words)
Fault = Callable[[int], int]


@cache
def commands(words: int) -> list[tuple[int, int, int]]:
    """(write, address, data) of all commands, which do not depend on the answers. The memory they go to is right."""
    dut = SelfTest(words)
    memory: dict[int, int] = {}
    given: list[tuple[int, int, int]] = []

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.commands.ready, 1)
        while ctx.get(dut.state) == StoreState.TESTING:
            command = ctx.get(dut.commands.payload)
            _, _, asked, answered = await ctx.tick().sample(dut.commands.valid, dut.answers.ready)
            if asked:
                given.append((command.write, command.address, command.data))
                if command.write:
                    memory[command.address] = command.data
                ctx.set(dut.answers.payload, 0 if command.write else memory[command.address])
                ctx.set(dut.answers.valid, 1)
            elif answered:
                ctx.set(dut.answers.valid, 0)
        assert ctx.get(dut.state) == StoreState.READY
        assert ctx.get(dut.works) == (1 << READ_PHASES) - 1

    simulate(dut, testbench)
    assert len(given) == 4 * PATTERNS * READ_PHASES
    return given


def notices(words: int, *, address: Fault = lambda value: value, data: Fault = lambda value: value) -> bool:
    """A read in the first phase is wrong when addresses and data arrive like this."""
    memory: dict[int, int] = {}
    wrong = False
    for write, place, word in commands(words)[: 4 * PATTERNS]:
        if write:
            memory[address(place)] = data(word)
        else:
            wrong |= data(memory[address(place)]) != word
    return wrong


def faults(bits: int) -> dict[str, Fault]:
    """Bits that are stuck, and that are what another one is, or both, or either."""
    found: dict[str, Fault] = {}
    for i in range(bits):
        found[f"{i} at 0"] = lambda value, i=i: value & ~(1 << i)
        found[f"{i} at 1"] = lambda value, i=i: value | 1 << i
    for i, j in combinations(range(bits), 2):
        both = 1 << i | 1 << j
        found[f"{i} as {j}"] = lambda value, i=i, j=j: value & ~(1 << i) | (value >> j & 1) << i
        found[f"{j} as {i}"] = lambda value, i=i, j=j: value & ~(1 << j) | (value >> i & 1) << j
        found[f"{i} and {j}"] = lambda value, both=both: value if value & both == both else value & ~both
        found[f"{i} or {j}"] = lambda value, both=both: value | both if value & both else value
    return found


@pytest.mark.parametrize("words", WORDS)
def test_a_memory_without_a_fault_passes(words: int) -> None:
    assert not notices(words)


@pytest.mark.parametrize("words", WORDS)
def test_every_fault_of_address_bits_is_noticed(words: int) -> None:
    bits = (words // 2 - 1).bit_length()
    assert [name for name, fault in faults(bits).items() if not notices(words, address=fault)] == []


@pytest.mark.parametrize("words", WORDS)
def test_every_fault_of_data_bits_is_noticed(words: int) -> None:
    assert [name for name, fault in faults(32).items() if not notices(words, data=fault)] == []


@pytest.mark.parametrize(
    ("works", "phase"),
    [(0b0001, 0), (0b0010, 1), (0b0110, 1), (0b1110, 2), (0b1111, 1), (0b1101, 2), (0b1001, 0), (0b1000, 3), (0, 0)],
)
def test_the_phase_in_the_middle(works: int, phase: int) -> None:
    assert middle(works) == phase


def test_a_memory_that_is_too_small_for_the_test_is_refused() -> None:
    with pytest.raises(ValueError, match="must have at least 131072 words for 32 patterns, and has 65536"):
        SelfTest(65536)
