"""Single-port RAM of an iCE40: only what block RAM has no room for, and only what needs no second port."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board
from presparse_boards.estimate.estimate import estimate
from presparse_boards.families.ice40.cells import MEMORY
from presparse_boards.families.ice40.single_port_plan import plan_single_port, single_port_blocks
from presparse_boards.resources.inferred_memory import inferred
from presparse_boards.resources.inventory import MemoryShape, memories
from tests.networks import random_build

ICEBREAKER = find_board("icebreaker")


def _with(block_ram: int, single_port_ram: int) -> Board:
    has = replace(ICEBREAKER.capacity, block_ram=block_ram, single_port_ram=single_port_ram)
    return replace(ICEBREAKER, capacity=has)


def _plan(build: Build, board: Board) -> dict[MemoryShape, int]:
    return plan_single_port(build, board.capacity, board.window)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("block_ram", [0, 24, 30])
@pytest.mark.parametrize("single_port_ram", [0, 3, 4, 100])
def test_no_more_moves_than_has_to_and_can(seed: int, block_ram: int, single_port_ram: int) -> None:
    build = random_build(np.random.default_rng(seed))
    plan = _plan(build, _with(block_ram, single_port_ram))
    allowed: Counter[MemoryShape] = Counter()
    freed: dict[MemoryShape, int] = {}
    needed = 0
    for memory in memories(build, window=ICEBREAKER.window):
        each = inferred(memory, MEMORY).blocks
        needed += each * memory.count
        if memory.one_port and each:
            allowed[memory.shape] += memory.count
            freed[memory.shape] = each
    assert plan.keys() <= allowed.keys()
    assert all(given <= allowed[shape] for shape, given in plan.items())
    taken = sum(single_port_blocks(shape[0]) * given for shape, given in plan.items())
    assert taken <= single_port_ram
    short = needed - block_ram - sum(freed[shape] * given for shape, given in plan.items())
    more = [shape for shape, count in allowed.items() if plan.get(shape, 0) < count]
    assert short <= 0 or all(taken + single_port_blocks(shape[0]) > single_port_ram for shape in more)
    assert not plan or short + max(freed[shape] for shape in plan) > 0  # the last that moved had to


def test_training_needs_both_ports() -> None:
    assert _plan(Build(network=Network.load("digits"), lanes=(1, 1)), ICEBREAKER) == {}


def test_the_demos_network_fits_the_smallest_board() -> None:
    """Worked out by hand: edges of 16 + 7 and 16 + 10 bits leave block RAM, 23 and 26 blocks of 68."""
    build = Build(network=Network.load("digits"), lanes=(1, 1), mode="infer")
    assert _plan(build, ICEBREAKER) == {((16, 7), 4096): 1, ((16, 10), 4096): 1}
    found = estimate(build, ICEBREAKER)
    assert found.fits
    assert (found.use.block_ram.used, found.use.single_port_ram.used) == (19, 4)
    assert not estimate(build, _with(30, 0)).fits


def test_what_fits_block_ram_stays_there() -> None:
    build = Build(network=Network.load("digits-small"), lanes=(1, 1), mode="infer")
    assert _plan(build, ICEBREAKER) == {}
    assert estimate(build, ICEBREAKER).use.single_port_ram.used == 0
