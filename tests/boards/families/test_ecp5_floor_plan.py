"""Sites of hard blocks: those that the FPGAs have, and each lane's beside one another."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from presparse_boards.boards.registry import find_board
from presparse_boards.families.ecp5.capacity import CAPACITY
from presparse_boards.families.ecp5.floor_plan import floor_plan
from presparse_boards.families.ecp5.sites import DIES
from presparse_boards.flow.plan import TOP, toolchain_of
from presparse_boards.flow.sites import set_sites
from presparse_boards.flow.tools import Workshop

CORE = "accelerator.accelerator.core"


def blocks_of(groups: int, *, memories: int = 1) -> dict[str, str]:
    """A junction of groups of 8 lanes, with two multipliers and some memory each, and 6 blocks of edges a group."""
    found = {f"{CORE}.junction2.neuron0.activate.table.block0": "DP16KD", f"{CORE}.junction1.lanes0.lane0.a": "LUT4"}
    for group in range(groups):
        prefix = f"{CORE}.junction1.lanes{group}"
        found |= {f"{prefix}.edges.block{i}": "DP16KD" for i in range(6)}
        for lane in range(8 * group, 8 * group + 8):
            found |= {f"{prefix}.lane{lane}.{product}.block": "MULT18X18D" for product in ("ff", "up")}
            found |= {f"{prefix}.lane{lane}.update_bank.block{i}": "DP16KD" for i in range(memories)}
    return found


@pytest.mark.parametrize("size", DIES)
def test_there_are_as_many_sites_as_blocks(size: str) -> None:
    multipliers, blocks = DIES[size].multipliers, DIES[size].blocks
    assert (len(multipliers), len(blocks)) == (CAPACITY[size].dsp, CAPACITY[size].block_ram)
    assert len({site.bel for site in (*multipliers, *blocks)}) == len(multipliers) + len(blocks)


@pytest.mark.slow
@pytest.mark.parametrize(("board", "size"), [("ulx3s-25f", "25F"), ("ulx3s-45f", "45F"), ("ulx3s-85f", "85F")])
def test_place_and_route_knows_every_site(tmp_path: Path, board: str, size: str) -> None:
    """It ends with an error at a name that it does not know, or that is of another kind."""
    kinds = {"MULT18X18D": DIES[size].multipliers, "DP16KD": DIES[size].blocks}
    cells = {
        f"{kind}{number}": {
            "hide_name": 0,
            "type": kind,
            "parameters": {},
            "attributes": {"BEL": site.bel},
            "port_directions": {},
            "connections": {},
        }
        for kind, sites in kinds.items()
        for number, site in enumerate(sites)
    }
    module = {"attributes": {"top": "1"}, "ports": {}, "cells": cells, "netnames": {}}
    (tmp_path / "all.json").write_text(json.dumps({"modules": {TOP: module}}))
    device = {"25F": "--25k", "45F": "--45k", "85F": "--85k"}[size]
    options = [device, "--package", "CABGA381", "--json", "all.json", "--no-route", "--write", "placed.json"]
    Workshop(tmp_path).check(toolchain_of(find_board(board)).place_and_route, options, "log")
    placed = json.loads((tmp_path / "placed.json").read_bytes())["modules"][TOP]["cells"]
    assert all(placed[name]["attributes"]["NEXTPNR_BEL"] == cell["attributes"]["BEL"] for name, cell in cells.items())


@pytest.mark.parametrize(("size", "groups"), [("25F", 1), ("45F", 4), ("85F", 9), ("85F", 12)])
def test_blocks_of_lanes_stand_beside_one_another(size: str, groups: int) -> None:
    """Lanes without a multiplier of their own, when those are used up, stand by the rest of their group."""
    blocks = blocks_of(groups)
    plan = floor_plan(f"LFE5U-{size}", blocks)
    die = DIES[size]
    sites = {site.bel: site for site in (*die.multipliers, *die.blocks)}
    kinds = {"MULT18X18D": set(die.multipliers), "DP16KD": set(die.blocks)}
    assert len(set(plan.values())) == len(plan)
    assert all(sites[bel] in kinds[blocks[name]] for name, bel in plan.items())
    memories = [n for n, kind in blocks.items() if kind == "DP16KD" and ".lanes" in n]
    assert set(plan) > set(memories)
    assert len(plan) == len(memories) + min(CAPACITY[size].dsp, 16 * groups)
    height = die.multiplier_rows[-1] - die.multiplier_rows[0] if len(die.multiplier_rows) > 1 else 24
    for lane in range(8 * groups):
        stem = f"{CORE}.junction1.lanes{lane // 8}.lane{lane}"
        if f"{stem}.ff.block" not in plan:
            continue
        ff, up, bank = (
            sites[plan[f"{stem}.{part}.block{end}"]] for part, end in (("ff", ""), ("up", ""), ("update_bank", "0"))
        )
        assert abs(ff.x - up.x) <= 4
        assert abs(ff.x - bank.x) + abs(ff.y - bank.y) < height


def test_the_order_of_the_netlist_does_not_matter() -> None:
    blocks = blocks_of(5)
    shuffled = list(blocks.items())
    random.Random(1).shuffle(shuffled)
    assert floor_plan("LFE5U-85F", dict(shuffled)) == floor_plan("LFE5U-85F", blocks)


def test_sites_are_written_into_the_netlist(tmp_path: Path) -> None:
    netlist, changed = tmp_path / "top.json", tmp_path / "with-sites.json"
    cells = {name: {"type": kind} for name, kind in blocks_of(1).items()}
    netlist.write_text(json.dumps({"modules": {TOP: {"cells": cells}}}))
    plan = floor_plan("LFE5U-25F", blocks_of(1))
    assert set_sites(netlist, changed, floor_plan, "LFE5U-25F") == len(plan) == 8 * 3 + 6
    written = json.loads(changed.read_bytes())["modules"][TOP]["cells"]
    assert {n: c["attributes"]["BEL"] for n, c in written.items() if "attributes" in c} == plan
