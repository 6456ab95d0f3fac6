"""The estimate: what it must hold for every build, and what the contract settles exactly."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from presparse.contract.build import Build, Mode
from presparse.contract.multipliers import multipliers
from presparse.contract.network import SHIPPED, Network
from presparse.contract.wire import WINDOW
from presparse.sizing.lanes import lane_choices
from presparse_boards.boards.registry import BOARDS, find_board
from presparse_boards.estimate import estimate
from presparse_boards.estimate.lane_search import NoFit, best_build
from presparse_boards.families.ecp5.block_plan import (
    DEEPEST_DISTRIBUTED,
    block_count,
    is_planned,
    plan_blocks,
)
from presparse_boards.families.ecp5.family import ECP5
from presparse_boards.families.family import FpgaFamily
from presparse_boards.families.ice40.family import ICE40
from presparse_boards.families.xc7.family import XC7
from presparse_boards.resources.inferred_memory import distributed, inferred
from presparse_boards.resources.inventory import Memory, memories
from tests.networks import random_build

LARGE = find_board("ulx3s-85f")


@pytest.mark.parametrize("seed", range(40))
def test_random_builds_get_one_consistent_estimate(seed: int) -> None:
    build = random_build(np.random.default_rng(seed))
    for board in BOARDS.values():
        found = estimate(build, board)
        assert found == estimate(Build(**{key: getattr(build, key) for key in build.model_fields_set}), board)
        assert found.fits == (found.short == "")
        assert found.use.fits or not found.fits
        assert found.cycles_per_sample == build.schedule.period
        assert found.clock_mhz <= found.fmax_mhz + 0.05
        assert found.samples_per_second == pytest.approx(found.clock_mhz * 1e6 / found.cycles_per_sample, rel=1e-4)
        assert found.latency_cycles == build.latency
        assert found.latency_us == pytest.approx(build.latency / found.clock_mhz, rel=1e-3, abs=1e-3)
        assert found.use.dsp.used <= board.capacity.dsp or board.family is ICE40
        assert all(resource.used >= 0 for _, resource in found.use.items())
        assert found.calibrated == (board.family is not XC7)


def test_the_slowest_junction_never_idles_and_others_wait_for_it() -> None:
    build = Build(network=Network.load("mnist-dey"), lanes=(64, 4))
    first, second = estimate(build, LARGE).junctions
    assert (first.cycles, first.idle) == (64, 192)
    assert (second.cycles, second.idle) == (256, 0)


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "mnist-windows"])  # it has odd lanes, unhalvable
@pytest.mark.parametrize("mode", ["train", "infer"])
def test_more_lanes_never_take_fewer_multipliers_or_registers(name: str, mode: Mode) -> None:
    """Doubling every junction's lanes: more multipliers and flip-flops, fewer cycles, no faster clock. LUTs may go
    either way, as memories move to block RAM."""
    network = Network.load(name)
    lanes = network.lanes
    chain = [tuple(z // k for z in lanes) for k in (16, 8, 4, 2, 1)]
    builds = [Build(network=network, lanes=z, mode=mode) for z in chain if z in set(lane_choices(network))]
    assert len(builds) >= 3
    for fewer, more in pairwise(builds):
        assert sum(g.count for g in multipliers(fewer)) < sum(g.count for g in multipliers(more))
        a, b = estimate(fewer, LARGE), estimate(more, LARGE)
        assert a.use.dsp.used <= b.use.dsp.used
        assert a.cycles_per_sample > b.cycles_per_sample


@pytest.mark.parametrize("name", SHIPPED)
def test_inference_takes_less_than_training(name: str) -> None:
    network = Network.load(name)
    train, infer = (estimate(Build(network=network, mode=mode), LARGE) for mode in ("train", "infer"))
    assert infer.use.lut.used < train.use.lut.used
    assert infer.use.ff.used < train.use.ff.used
    # Both may take all there are, or have nothing in blocks but their edges.
    assert infer.use.dsp.used <= train.use.dsp.used
    assert infer.use.block_ram.used <= train.use.block_ram.used


def test_short_names_each_kind_with_its_numbers() -> None:
    found = estimate(Build(network=Network.load("mnist")), find_board("icebreaker"))
    assert not found.fits
    assert "block RAM: " in found.short
    assert " of 30" in found.short


@pytest.mark.parametrize(
    ("depth", "width", "family", "blocks", "cells"),
    [
        # What Yosys 0.70 made of them.
        (2, 4, ECP5, 0, 1),
        (16, 10, ECP5, 0, 3),
        (32, 28, ECP5, 0, 14),
        (64, 16, ECP5, 0, 16),
        (64, 28, ECP5, 1, 0),
        (96, 10, ECP5, 0, 18),
        (96, 16, ECP5, 1, 0),
        (256, 4, ECP5, 0, 16),
        (512, 4, ECP5, 1, 0),
        (4, 28, ICE40, 0, 0),
        (8, 10, ICE40, 1, 0),
        (16, 4, ICE40, 0, 0),
        (48, 28, ICE40, 2, 0),
        (512, 16, ICE40, 2, 0),
    ],
)
def test_memories_get_the_primitive_that_synthesis_chooses(
    depth: int, width: int, family: FpgaFamily, blocks: int, cells: int
) -> None:
    found = inferred(Memory(depth=depth, fields=(width,)), family.memory)
    assert (found.blocks, found.cells) == (blocks, cells)


@pytest.mark.parametrize(("depth", "width", "cells"), [(48, 10, 9), (64, 28, 28), (128, 10, 24), (256, 28, 112)])
def test_distributed_memories_take_cells_only(depth: int, width: int, cells: int) -> None:
    found = distributed(Memory(depth=depth, fields=(width,)))
    assert (found.blocks, found.cells) == (0, cells)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("blocks", [0, 7, 56, 208])
def test_block_ram_is_planned_for_all_memories_that_suit_it(seed: int, blocks: int) -> None:
    """Never more than there are, but for deep ones; whatever went without has no room in what is left over."""
    build = random_build(np.random.default_rng(seed))
    plan = plan_blocks(build, dataclasses.replace(find_board("ulx3s-25f").capacity, block_ram=blocks), WINDOW)
    wanted: Counter[tuple[tuple[int, ...], int]] = Counter()
    left = blocks
    for memory in memories(build):
        if is_planned(memory):
            wanted[memory.fields, memory.depth] += memory.count
        else:
            left -= memory.count * inferred(memory, ECP5.memory).blocks
    assert set(plan) == set(wanted)
    left -= sum(given * block_count(*shape) for shape, given in plan.items())
    deep = {shape for shape in plan if shape[1] > DEEPEST_DISTRIBUTED}
    assert left >= 0 or all(given == 0 for shape, given in plan.items() if shape not in deep)
    for shape, given in plan.items():
        assert 0 <= given <= wanted[shape]
        assert given == wanted[shape] or (left < block_count(*shape) and shape not in deep)


@pytest.mark.slow
def test_planning_and_estimating_all_shipped_networks_on_all_boards_takes_a_moment() -> None:
    """Each network on each board well under a second, lanes auto included."""
    for name in SHIPPED:
        network = Network.load(name)
        for board in BOARDS.values():
            start = time.process_time()
            try:
                estimate(best_build(network, board), board)
            except NoFit:
                estimate(Build(network=network), board)
            assert time.process_time() - start < 1
