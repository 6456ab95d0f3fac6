"""Where the multipliers and memory blocks of the lanes go: lanes side by side, each with its own around it.

An FPGA has its hard blocks in a few rows. A placer that spreads cells first and moves hard blocks to free sites
afterwards pulls a lane's far apart when nearly all are taken. Beside one another, in the order of the lanes, they pull
everything else to them (docs/decisions/0038).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from statistics import fmean

from presparse_boards.families.ecp5.sites import DIES, Site

_LANES = re.compile(r"(?:^|\.)junction(\d+)\.lanes(\d+)\.(?:lane(\d+)\.)?")
_GROUP = -1
"""Instead of a lane's number: the block belongs to all lanes of its group."""

Place = tuple[int, int, int]
"""Junction, group of lanes, lane."""


def floor_plan(device: str, cells: Mapping[str, str]) -> dict[str, str]:
    """Sites for multipliers and memory blocks.

    Parameters
    ----------
    device : as in `Board.device`
    cells : names and types of a netlist's; what is in no lane, or of another type, gets no site

    Returns names and nextpnr's names of sites.
    """
    die = DIES[device.rpartition("-")[2]]
    places = {name: place for name in sorted(cells) if (place := _place(name))}
    multipliers = sorted((n for n in places if cells[n] == "MULT18X18D"), key=lambda name: (places[name], name))
    memories = sorted((n for n in places if cells[n] == "DP16KD"), key=lambda name: (places[name], name))

    plan: dict[str, Site] = dict(zip(multipliers, die.multipliers, strict=False))
    stand: dict[Place, list[Site]] = {}
    for name, site in plan.items():
        junction, group, lane = places[name]
        for place in ((junction, group, lane), (junction, group, _GROUP)):
            stand.setdefault(place, []).append(site)

    free = die.blocks
    beside = die.multipliers[:1]
    for name in memories:
        junction, group, _ = places[name]
        beside = stand.get(places[name]) or stand.get((junction, group, _GROUP)) or beside
        x, y = fmean(site.x for site in beside), fmean(site.y for site in beside)
        plan[name] = min(free, key=lambda site: (abs(site.x - x) + abs(site.y - y), site))
        free.remove(plan[name])
    return {name: site.bel for name, site in plan.items()}


def _place(name: str) -> Place | None:
    found = _LANES.search(name)
    if not found:
        return None
    junction, group, lane = found.groups()
    return int(junction), int(group), int(lane) if lane else _GROUP
